#include "models/param_sources.h"

#include <map>
#include <unordered_set>

namespace galen {
namespace {

constexpr std::string_view kPrefixes[] = {"model.", "language_model.model.",
                                          "model.language_model.", ""};
constexpr std::string_view kHeadPrefixes[] = {"", "language_model.", "model."};

std::string Shape(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  }
  return text + "]";
}

// The names under which the file may keep a weight.
class NameMap {
 public:
  NameMap(const Checkpoint& checkpoint, std::span<const ParamSpec> specs)
      : checkpoint_(checkpoint), gguf_(checkpoint.kind() == CheckpointKind::kGguf) {
    // The prefix that fits most names: another part of a multimodal model may use one of them too.
    size_t best = 0;
    for (const std::string_view prefix : kPrefixes) {
      size_t found = 0;
      for (const ParamSpec& spec : specs) {
        found += checkpoint.Has(std::string(prefix) + spec.name) ? 1 : 0;
      }
      if (found > best) {
        best = found;
        prefix_ = prefix;
      }
    }
  }

  std::string Find(const ParamSpec& spec) const {
    if (gguf_) return spec.gguf_name;
    if (!spec.name.starts_with("lm_head.")) return prefix_ + spec.name;
    for (const std::string_view prefix : kHeadPrefixes) {
      const std::string name = std::string(prefix) + spec.name;
      if (checkpoint_.Has(name)) return name;
    }
    return spec.name;
  }

  // Whether a tensor belongs to the decoder's layers.
  bool InLayers(std::string_view name) const {
    if (gguf_) return name.starts_with("blk.");
    if (!name.starts_with(prefix_ + "layers.")) return false;
    // Old LLaMA files carry the rotary frequencies, which follow from the configuration.
    return !name.ends_with(".rotary_emb.inv_freq");
  }

 private:
  const Checkpoint& checkpoint_;
  bool gguf_;
  std::string prefix_ = "model.";
};

Status CheckTensor(const std::string& path, const ParamSpec& spec, const TensorInfo& tensor) {
  const std::vector<int64_t> expected = spec.is_vector()
                                            ? std::vector<int64_t>{spec.rows}
                                            : std::vector<int64_t>{spec.rows, spec.cols};
  const std::string where = path + ": tensor '" + tensor.name + "': ";
  if (tensor.shape != expected) {
    return DataLoss(where + "expected shape " + Shape(expected) + ", found " + Shape(tensor.shape) +
                    "; the file does not fit its own configuration");
  }
  const BlockFormat& format = FormatOf(tensor.dtype);
  if (format.decode == nullptr) {
    return Unsupported(where + "expected a floating-point or block-quantised type, found " +
                       std::string(tensor.type_name));
  }
  const int64_t cols = spec.is_vector() ? spec.rows : spec.cols;
  if (cols % format.block_elems != 0) {
    return DataLoss(where + "rows of " + std::to_string(cols) + " values are no whole " +
                    std::string(tensor.type_name) + " blocks of " +
                    std::to_string(format.block_elems));
  }
  const int64_t rows = spec.is_vector() ? 1 : spec.rows;
  if (static_cast<int64_t>(tensor.bytes.size()) != rows * RowBytes(tensor.dtype, cols)) {
    return DataLoss(where + "expected " + std::to_string(rows * RowBytes(tensor.dtype, cols)) +
                    " bytes, found " + std::to_string(tensor.bytes.size()));
  }
  return OkStatus();
}

// "vision_tower" of "vision_tower.encoder.layers.0.mlp.fc1.bias", for grouping.
std::string Group(std::string_view name) {
  for (const std::string_view prefix : {"model."}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  return std::string(name.substr(0, name.find('.')));
}

}  // namespace

Result<ParamSources> FindParams(const Checkpoint& checkpoint, std::span<const ParamSpec> specs) {
  ParamSources sources;
  const NameMap names(checkpoint, specs);
  std::unordered_set<std::string_view> used;
  for (const ParamSpec& spec : specs) {
    const std::string name = names.Find(spec);
    if (spec.optional && !checkpoint.Has(name)) continue;
    ASSIGN_OR_RETURN(const TensorInfo* tensor, checkpoint.Find(name));
    RETURN_IF_ERROR(CheckTensor(checkpoint.path(), spec, *tensor));
    used.insert(tensor->name);
    sources.params.push_back({&spec, tensor});
  }
  std::map<std::string, int> unused;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    if (used.count(tensor.name) != 0 || tensor.name == "rope_freqs.weight") continue;
    if (names.InLayers(tensor.name)) {
      return Unsupported(checkpoint.path() + ": tensor '" + tensor.name +
                         "' has no place in this architecture; without it the model would answer "
                         "differently from what it was trained to");
    }
    ++unused[Group(tensor.name)];
  }
  for (const auto& [group, count] : unused) {
    sources.notes.push_back(std::to_string(count) + " tensors of '" + group.substr(0, 64) +
                            "' are not used by the text model");
  }
  return sources;
}

}  // namespace galen
