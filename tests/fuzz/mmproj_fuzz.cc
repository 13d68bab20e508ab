// Image projector files: configuration, and every tensor that the tower would read. The same bytes
// also as a model's own file in Ollama's layout.
#include <cstddef>
#include <cstdint>

#include "models/architecture.h"
#include "models/param_sources.h"

using namespace galen;

namespace {

constexpr int64_t kHiddenSize = 8;  // of the text model that the seeds belong to
// A damaged size may ask for a large tower; only its list of tensors would be made.
constexpr int64_t kMostLayers = 16;

void Read(const Architecture& family, const std::shared_ptr<const Checkpoint>& file) {
  ModelConfig text;
  text.name = "text";
  text.hidden_size = kHiddenSize;
  text.mrope_section = {1, 1, 2};  // of families that want them
  const Result<VisionConfig> config = family.vision->config_from_gguf(*file->gguf(), text);
  if (!config.ok()) {
    GALEN_CHECK(!config.status().message().empty());
    return;
  }
  if (!ValidateVisionConfig(*config, file->path()).ok() || config->num_hidden_layers > kMostLayers)
    return;
  GALEN_CHECK(config->projection_dim == kHiddenSize);
  const std::unique_ptr<ImageTower> tower = family.vision->make_tower(*config);
  const std::vector<ParamSpec> specs = tower->Params();
  const Result<ParamSources> sources = FindParams(*file, specs, VisionScope());
  if (!sources.ok()) return;
  for (const ParamSource& source : sources->params) {
    const int64_t cols = source.spec->is_vector() ? source.spec->rows : source.spec->cols;
    const int64_t rows = source.spec->is_vector() ? 1 : source.spec->rows;
    GALEN_CHECK(static_cast<int64_t>(source.tensor.bytes.size()) ==
                rows * RowBytes(source.tensor.dtype, cols));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = CheckpointFromBytes({data, size}, "mmproj.gguf");
  if (!file.ok() || (*file)->gguf() == nullptr) return 0;
  for (const Architecture* family : Architectures()) {
    if (family->vision != nullptr) Read(*family, *file);
  }
  return 0;
}
