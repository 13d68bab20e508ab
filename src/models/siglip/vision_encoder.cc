#include "models/siglip/vision_encoder.h"

#include <algorithm>
#include <cmath>

#include "models/arena_bytes.h"
namespace galen {

SiglipVisionEncoder::SiglipVisionEncoder(const VisionConfig& config)
    : config_(config), layers_(config.num_hidden_layers) {}

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
  EncoderAttentionShape shape;
  shape.num_heads = config_.num_attention_heads;
  shape.head_dim = config_.head_dim();
  shape.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)));
  const std::vector<int32_t> segments = EqualSegments(count, grid.patches());
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    x = EncoderBlock(ctx, layers_[i], shape, segments, ActivationKind::kGeluTanh,
                     config_.layer_norm_eps, x);
    Observe(ctx, "vision.layers", i, x);
  }
  x = LayerNorm(ctx, x, post_layernorm_w_, post_layernorm_b_, config_.layer_norm_eps);
  Observe(ctx, "vision.post_layernorm", x);
  return x;
}

void SiglipVisionEncoder::AddParams(ParamTable* table) {
  ParamTable& t = *table;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  const int64_t side = config_.patches_per_side();
  t.Matrix("vision_tower.embeddings.patch_embedding.weight", "v.patch_embd.weight", hidden,
           config_.patch_values(), &patch_embedding_.weight)
      .flat = true;
  t.Vector("vision_tower.embeddings.patch_embedding.bias", "v.patch_embd.bias", hidden,
           &patch_embedding_.bias);
  t.Vector("vision_tower.embeddings.position_embedding.weight", "v.position_embd.weight",
           side * side * hidden, &position_embedding_)
      .flat = true;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    EncoderLayer& l = layers_[i];
    t.BeginLayer(i);
    t.Vector("layer_norm1.weight", "ln1.weight", hidden, &l.layer_norm1_w);
    t.Vector("layer_norm1.bias", "ln1.bias", hidden, &l.layer_norm1_b);
    t.Linear("self_attn.q_proj", "attn_q", hidden, hidden, &l.q_proj);
    t.Linear("self_attn.k_proj", "attn_k", hidden, hidden, &l.k_proj);
    t.Linear("self_attn.v_proj", "attn_v", hidden, hidden, &l.v_proj);
    t.Linear("self_attn.out_proj", "attn_out", hidden, hidden, &l.out_proj);
    t.Vector("layer_norm2.weight", "ln2.weight", hidden, &l.layer_norm2_w);
    t.Vector("layer_norm2.bias", "ln2.bias", hidden, &l.layer_norm2_b);
    t.Linear("mlp.fc1", "ffn_up", inner, hidden, &l.fc1);
    t.Linear("mlp.fc2", "ffn_down", hidden, inner, &l.fc2);
  }
  t.EndLayers();
  t.Vector("vision_tower.post_layernorm.weight", "v.post_ln.weight", hidden, &post_layernorm_w_);
  t.Vector("vision_tower.post_layernorm.bias", "v.post_ln.bias", hidden, &post_layernorm_b_);
}

int64_t SiglipVisionEncoder::ArenaBytes(const KernelTable& kernels, int num_threads,
                                        int64_t num_patches) const {
  constexpr int64_t kFloat = sizeof(float);
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  // Patches, the residual before and after a layer, and the final norm.
  const int64_t fixed = num_patches * (config_.patch_values() + 4 * hidden) * kFloat;
  // A block: two norms, q, k, v, heads, their projection, three sums, the MLP's two layers and its
  // activation; and what attention keeps of each row.
  const int64_t block =
      num_patches * (12 * hidden + 2 * inner + config_.num_attention_heads) * kFloat;
  int64_t scratch =
      num_threads * kernels.attention_scratch_bytes(
                        AttentionShape{config_.num_attention_heads, config_.num_attention_heads,
                                       config_.head_dim(), 1.0f, 0, KvType::kF32},
                        num_patches);
  for (const int64_t k : {config_.patch_values(), hidden, inner}) {
    scratch = std::max(scratch, LinearArenaBytes(kernels, num_threads, num_patches, k));
  }
  // Operands of attention in the kernels' own layouts: q, k, v once more.
  scratch += num_patches * 3 * hidden * kFloat;
  constexpr int64_t kRounding = 64 * 64;  // each allocation is rounded up to 64 bytes
  return fixed + block + scratch + kRounding;
}

}  // namespace galen
