#include "nn/gated_encoder.h"

#include <array>

#include "ops/row_blocks.h"

namespace galen {
namespace {

// Rotated attention of projected rows: [T, H * D].
Tensor Attend(ExecContext& ctx, const EncoderAttentionShape& shape,
              std::span<const int32_t> cu_seqlens, const Tensor& cos_sin,
              std::array<Tensor, 3>& qkv) {
  for (Tensor& t : qkv) t = t.Reshape({t.rows(), shape.num_heads, shape.head_dim});
  const Tensor q = Rope(ctx, qkv[0], cos_sin), k = Rope(ctx, qkv[1], cos_sin);
  return EncoderAttention(ctx, shape, cu_seqlens, q, k, qkv[2]);
}

// Without a tape and with row products: x is changed in place.
Tensor FusedBlock(ExecContext& ctx, const GatedEncoderLayer& layer,
                  const EncoderAttentionShape& shape, std::span<const int32_t> cu_seqlens,
                  const Tensor& cos_sin, float eps, const Tensor& x) {
  {
    const ArenaScope scope(ctx.arena);
    const Weight* weights[] = {&layer.q_proj.weight, &layer.k_proj.weight, &layer.v_proj.weight};
    const VectorParam* biases[] = {&layer.q_proj.bias, &layer.k_proj.bias, &layer.v_proj.bias};
    std::array<Tensor, 3> qkv;
    NormLinears(ctx, x, {layer.norm1, {}, eps}, weights, biases, qkv);
    LinearAdd(ctx, Attend(ctx, shape, cu_seqlens, cos_sin, qkv), layer.out_proj.weight,
              layer.out_proj.bias, x);
  }
  const ArenaScope scope(ctx.arena);
  const Weight* weights[] = {&layer.mlp.gate_proj.weight, &layer.mlp.up_proj.weight};
  const VectorParam* biases[] = {&layer.mlp.gate_proj.bias, &layer.mlp.up_proj.bias};
  std::array<Tensor, 2> gate_up;
  NormLinears(ctx, x, {layer.norm2, {}, eps}, weights, biases, gate_up);
  LinearAdd(ctx, GateMul(ctx, GateKind::kSilu, gate_up[0], gate_up[1]), layer.mlp.down_proj.weight,
            layer.mlp.down_proj.bias, x);
  return x;
}

}  // namespace

Tensor GatedEncoderBlock(ExecContext& ctx, const GatedEncoderLayer& layer,
                         const EncoderAttentionShape& shape, std::span<const int32_t> cu_seqlens,
                         const Tensor& cos_sin, float eps, const Tensor& x) {
  const Weight* weights[] = {&layer.q_proj.weight,        &layer.k_proj.weight,
                             &layer.v_proj.weight,        &layer.out_proj.weight,
                             &layer.mlp.gate_proj.weight, &layer.mlp.up_proj.weight,
                             &layer.mlp.down_proj.weight};
  const bool adapted =
      HasAdapters({&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.out_proj,
                   &layer.mlp.gate_proj, &layer.mlp.up_proj, &layer.mlp.down_proj});
  if (!adapted && CanBlockRows(ctx, weights)) {
    return FusedBlock(ctx, layer, shape, cu_seqlens, cos_sin, eps, x);
  }
  LayerScope scope(ctx);
  std::array<Tensor, 3> qkv;
  ProjectTogether(ctx, {&layer.q_proj, &layer.k_proj, &layer.v_proj},
                  LinearInput::Normed(x, layer.norm1, eps), qkv);
  const Tensor heads = Attend(ctx, shape, cu_seqlens, cos_sin, qkv);
  const Tensor middle = Add(ctx, x, Project(ctx, layer.out_proj, heads));
  const Tensor inner =
      GatedMlp(ctx, layer.mlp, GateKind::kSilu, LinearInput::Normed(middle, layer.norm2, eps));
  return scope.Keep(Add(ctx, middle, inner), x);
}

}  // namespace galen
