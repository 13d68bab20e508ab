#include "models/siglip/vision_encoder.h"

#include <algorithm>

namespace galen {
namespace {

EncoderStackConfig StackOf(const VisionConfig& c) {
  return {c.hidden_size,         c.intermediate_size, c.num_hidden_layers,
          c.num_attention_heads, c.layer_norm_eps,    ActivationKind::kGeluTanh};
}

}  // namespace

SiglipVisionEncoder::SiglipVisionEncoder(const VisionConfig& config)
    : config_(config), stack_(StackOf(config)) {}

Tensor SiglipVisionEncoder::Forward(ExecContext& ctx, const ImageBatch& batch) const {
  GALEN_CHECK(!batch.grids.empty());
  const ImageGrid grid = batch.grids[0];
  for (const ImageGrid& other : batch.grids) {
    GALEN_CHECK(other.height == grid.height && other.width == grid.width);
  }
  const auto count = static_cast<int64_t>(batch.grids.size());
  GALEN_CHECK(batch.patches.rows() == count * grid.patches() &&
              batch.patches.cols() == config_.patch_values());
  const int64_t side = config_.patches_per_side();
  Tensor x = Project(ctx, patch_embedding_, batch.patches);
  if (grid.height == side && grid.width == side) {
    x = AddRows(ctx, x, position_embedding_);
  } else {
    x = AddInterpolatedRows(ctx, x, position_embedding_, {side, side}, {grid.height, grid.width});
  }
  Observe(ctx, "vision.embeddings", x);
  x = stack_.Forward(ctx, EqualSegments(count, grid.patches()), false, "vision.layers", x);
  x = LayerNorm(ctx, x, post_layernorm_w_, post_layernorm_b_, config_.layer_norm_eps);
  Observe(ctx, "vision.post_layernorm", x);
  return x;
}

void SiglipVisionEncoder::AddParams(ParamTable* table) {
  ParamTable& t = *table;
  const int64_t hidden = config_.hidden_size;
  const int64_t side = config_.patches_per_side();
  t.Matrix("vision_tower.embeddings.patch_embedding.weight", "v.patch_embd.weight", hidden,
           config_.patch_values(), &patch_embedding_)
      .flat = true;
  t.Vector("vision_tower.embeddings.patch_embedding.bias", "v.patch_embd.bias", hidden,
           &patch_embedding_.bias);
  t.Vector("vision_tower.embeddings.position_embedding.weight", "v.position_embd.weight",
           side * side * hidden, &position_embedding_)
      .flat = true;
  stack_.AddParams(table);
  t.Vector("vision_tower.post_layernorm.weight", "v.post_ln.weight", hidden, &post_layernorm_w_);
  t.Vector("vision_tower.post_layernorm.bias", "v.post_ln.bias", hidden, &post_layernorm_b_);
}

int64_t SiglipVisionEncoder::ArenaBytes(const KernelTable& kernels, int num_threads,
                                        int64_t num_patches) const {
  constexpr int64_t kFloat = sizeof(float);
  const int64_t side = config_.patches_per_side();
  // Patches, the embedding before and after the positions, the layers' input, and the final norm.
  const int64_t fixed = num_patches * (config_.patch_values() + 4 * config_.hidden_size) * kFloat;
  const int64_t first = LinearArenaBytes(kernels, num_threads, num_patches, config_.patch_values());
  return fixed + std::max(first, stack_.ArenaBytes(kernels, num_threads, num_patches,
                                                   std::min(num_patches, side * side)));
}

}  // namespace galen
