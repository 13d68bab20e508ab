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
  std::vector<int32_t> bounds = {0};
  for (const ImageGrid& grid : batch.grids) {
    bounds.push_back(bounds.back() + static_cast<int32_t>(grid.patches()));
  }
  GALEN_CHECK(batch.patches.rows() == bounds.back() &&
              batch.patches.cols() == config_.patch_values());
  Tensor x = AddPositions(ctx, batch, Project(ctx, patch_embedding_, batch.patches));
  Observe(ctx, "vision.embeddings", x);
  x = stack_.Forward(ctx, bounds, false, "vision.layers", x);
  x = LayerNorm(ctx, x, post_layernorm_w_, post_layernorm_b_, config_.layer_norm_eps);
  Observe(ctx, "vision.post_layernorm", x);
  return x;
}

Tensor SiglipVisionEncoder::AddPositions(ExecContext& ctx, const ImageBatch& batch,
                                         const Tensor& x) const {
  const int64_t side = config_.patches_per_side();
  if (batch.corners.empty()) {
    const ImageGrid grid = batch.grids[0];
    for (const ImageGrid& other : batch.grids) {
      GALEN_CHECK(other.height == grid.height && other.width == grid.width);
    }
    if (grid.height == side && grid.width == side) return AddRows(ctx, x, position_embedding_);
    return AddInterpolatedRows(ctx, x, position_embedding_, {side, side},
                               {grid.height, grid.width});
  }
  GALEN_CHECK(batch.corners.size() == batch.grids.size());
  std::vector<int32_t> rows;
  for (size_t i = 0; i < batch.grids.size(); ++i) {
    const ImageGrid& grid = batch.grids[i];
    const GridCorner& corner = batch.corners[i];
    GALEN_CHECK(corner.top >= 0 && corner.top + grid.height <= side);
    GALEN_CHECK(corner.left >= 0 && corner.left + grid.width <= side);
    for (int64_t y = 0; y < grid.height; ++y) {
      const int64_t first = (corner.top + y) * side + corner.left;
      for (int64_t at = 0; at < grid.width; ++at) rows.push_back(static_cast<int32_t>(first + at));
    }
  }
  const Weight table = {{reinterpret_cast<const uint8_t*>(position_embedding_.data), DType::kF32,
                         WeightLayout::kRows, side * side, config_.hidden_size},
                        position_embedding_.grad};
  return Add(ctx, x, Embedding(ctx, table, rows, 1.0f));
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
