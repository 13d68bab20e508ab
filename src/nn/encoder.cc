#include "nn/encoder.h"

#include <algorithm>
#include <array>
#include <limits>

#include "ops/row_blocks.h"

namespace galen {
namespace {

// The block without a tape and with row products: x is changed in place, and what lies between two
// products of the MLP never leaves a core's cache.
Tensor FusedBlock(ExecContext& ctx, const EncoderLayer& layer, const EncoderAttentionShape& shape,
                  std::span<const int32_t> cu_seqlens, ActivationKind activation, float eps,
                  const Tensor& x) {
  const ArenaScope scope(ctx.arena);
  const Weight* weights[] = {&layer.q_proj.weight, &layer.k_proj.weight, &layer.v_proj.weight};
  const VectorParam* biases[] = {&layer.q_proj.bias, &layer.k_proj.bias, &layer.v_proj.bias};
  std::array<Tensor, 3> qkv;
  NormLinears(ctx, x, {layer.layer_norm1_w, layer.layer_norm1_b, eps}, weights, biases, qkv);
  for (Tensor& t : qkv) t = t.Reshape({x.rows(), shape.num_heads, shape.head_dim});
  const Tensor heads = EncoderAttention(ctx, shape, cu_seqlens, qkv[0], qkv[1], qkv[2]);
  LinearAdd(ctx, heads, layer.out_proj.weight, layer.out_proj.bias, x);
  NormMlpAdd(ctx, {layer.layer_norm2_w, layer.layer_norm2_b, eps},
             {&layer.fc1.weight, &layer.fc1.bias, activation, &layer.fc2.weight, &layer.fc2.bias},
             x);
  return x;
}

// x as the weight takes it: int8 weights have whole blocks of columns, for which zeros follow.
Tensor InputOf(ExecContext& ctx, const Weight& weight, const Tensor& x) {
  const int64_t cols = weight.view.cols;
  if (cols <= x.cols()) return x;
  GALEN_CHECK(ctx.tape == nullptr);
  const Tensor y = ctx.arena->NewTensor({x.rows(), cols});
  std::fill_n(y.f32(), y.num_elements(), 0.0f);
  for (int64_t r = 0; r < x.rows(); ++r) std::copy_n(x.row(r), x.cols(), y.row(r));
  return y;
}

}  // namespace

Tensor EncoderBlock(ExecContext& ctx, const EncoderLayer& layer, const EncoderAttentionShape& shape,
                    std::span<const int32_t> cu_seqlens, ActivationKind activation, float eps,
                    const Tensor& x) {
  const Weight* weights[] = {&layer.q_proj.weight,   &layer.k_proj.weight, &layer.v_proj.weight,
                             &layer.out_proj.weight, &layer.fc1.weight,    &layer.fc2.weight};
  const bool adapted = HasAdapters(
      {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.out_proj, &layer.fc1, &layer.fc2});
  if (!adapted && CanBlockRows(ctx, weights)) {
    return FusedBlock(ctx, layer, shape, cu_seqlens, activation, eps, x);
  }
  const int64_t tokens = x.rows();
  LayerScope scope(ctx);
  const Tensor n1 = InputOf(ctx, layer.q_proj.weight,
                            LayerNorm(ctx, x, layer.layer_norm1_w, layer.layer_norm1_b, eps));
  std::array<Tensor, 3> qkv;
  ProjectTogether(ctx, {&layer.q_proj, &layer.k_proj, &layer.v_proj}, n1, qkv);
  for (Tensor& t : qkv) t = t.Reshape({tokens, shape.num_heads, shape.head_dim});
  const Tensor heads = EncoderAttention(ctx, shape, cu_seqlens, qkv[0], qkv[1], qkv[2]);
  const Tensor middle =
      Add(ctx, x, Project(ctx, layer.out_proj, InputOf(ctx, layer.out_proj.weight, heads)));
  const Tensor n2 = InputOf(ctx, layer.fc1.weight,
                            LayerNorm(ctx, middle, layer.layer_norm2_w, layer.layer_norm2_b, eps));
  const Tensor inner =
      InputOf(ctx, layer.fc2.weight, Activation(ctx, activation, Project(ctx, layer.fc1, n2)));
  return scope.Keep(Add(ctx, middle, Project(ctx, layer.fc2, inner)), x);
}

std::vector<int32_t> EqualSegments(int64_t count, int64_t tokens) {
  GALEN_CHECK(count >= 0 && tokens >= 0);
  GALEN_CHECK(tokens == 0 || count <= std::numeric_limits<int32_t>::max() / tokens);
  std::vector<int32_t> bounds;
  for (int64_t i = 0; i <= count; ++i) bounds.push_back(static_cast<int32_t>(i * tokens));
  return bounds;
}

namespace {

// pixel (c, y, x) lies at c * channel_step + (y * width + x) * pixel_step.
void Unfold(const float* pixels, int64_t channels, int64_t height, int64_t width, int64_t patch,
            int64_t channel_step, int64_t pixel_step, float* rows) {
  GALEN_CHECK(patch > 0 && height % patch == 0 && width % patch == 0);
  for (int64_t y0 = 0; y0 < height; y0 += patch) {
    for (int64_t x0 = 0; x0 < width; x0 += patch) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t y = y0; y < y0 + patch; ++y) {
          const float* from = pixels + c * channel_step + (y * width + x0) * pixel_step;
          for (int64_t x = 0; x < patch; ++x) *rows++ = from[x * pixel_step];
        }
      }
    }
  }
}

}  // namespace

void UnfoldPatches(const float* pixels, int64_t channels, int64_t height, int64_t width,
                   int64_t patch, float* rows) {
  Unfold(pixels, channels, height, width, patch, height * width, 1, rows);
}

void UnfoldPatchesInterleaved(const float* pixels, int64_t channels, int64_t height, int64_t width,
                              int64_t patch, float* rows) {
  Unfold(pixels, channels, height, width, patch, 1, channels, rows);
}

}  // namespace galen
