#include "models/dual_encoder/replay.h"

#include "models/dual_encoder/dual_encoder.h"
#include "models/golden_inputs.h"
#include "models/weight_store.h"
#include "nn/encoder.h"

namespace galen {
namespace {

Result<Tensor> GoldenPatches(ExecContext& ctx, const Checkpoint& file,
                             const VisionEncoderConfig& vision) {
  ASSIGN_OR_RETURN(const std::vector<float> pixels, GoldenFloats(file, "pixels"));
  const int64_t image = 3 * vision.image_size * vision.image_size;
  const int64_t n = static_cast<int64_t>(pixels.size()) / image;
  if (n < 1 || n * image != static_cast<int64_t>(pixels.size()))
    return DataLoss(file.path() + ": pixels are no images of the tower's size");
  const Tensor patches = ctx.arena->NewTensor({n * vision.patches(), vision.patch_values()});
  for (int64_t i = 0; i < n; ++i) {
    UnfoldPatches(pixels.data() + i * image, 3, vision.image_size, vision.image_size,
                  vision.patch_size, patches.row(i * vision.patches()));
  }
  return patches;
}

}  // namespace

Result<Tensor> ReplayDualEncoder(ExecContext& ctx, const std::shared_ptr<const Checkpoint>& file,
                                 const HfConfig& hf) {
  ASSIGN_OR_RETURN(DualEncoderConfig config, ReadDualEncoderConfig(hf, *file));
  if (!config.vision || !(config.classifier || config.similarity))
    return DataLoss(file->path() + ": an image tower and something to say of it are needed");
  DualEncoder model(std::move(config));
  const std::vector<ParamGroup> groups = model.Params();  // sources point into them
  std::vector<ParamSource> params;
  for (const ParamGroup& group : groups) {
    ASSIGN_OR_RETURN(ParamSources found, FindParams(*file, group.specs, group.scope));
    for (ParamSource& source : found.params) params.push_back(std::move(source));
  }
  ASSIGN_OR_RETURN(const WeightStore weights,
                   WeightStore::Load(file, params, WeightUse::kInference, *ctx.kernels, *ctx.pool));
  const VisionEncoderConfig& vision = *model.config().vision;
  ASSIGN_OR_RETURN(const Tensor patches, GoldenPatches(ctx, *file, vision));
  const int64_t n = patches.rows() / vision.patches();
  if (model.config().classifier) return model.ClassifyImages(ctx, patches, n);
  const Tensor images = model.EmbedImages(ctx, patches, n);
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, GoldenInts(*file, "ids"));
  ASSIGN_OR_RETURN(const std::vector<int32_t> lengths, GoldenInts(*file, "lengths"));
  std::vector<int32_t> bounds = {0};
  for (const int32_t length : lengths) {
    if (length < 1 || length > static_cast<int32_t>(ids.size()) - bounds.back())
      return DataLoss(file->path() + ": lengths do not add up to the ids");
    bounds.push_back(bounds.back() + length);
  }
  const int64_t vocabulary = model.config().text->vocab_size;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary) return DataLoss(file->path() + ": an id beyond the vocabulary");
  }
  return model.ImageTextLogits(ctx, images, model.EmbedTexts(ctx, ids, bounds));
}

}  // namespace galen
