// The transformer block of image and text encoders (ViT, SigLIP, CLIP): layer normalisation before
// each half, full attention inside segments, an MLP of two layers. Forward and, on a tape,
// backward.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/layers.h"
#include "ops/exec_context.h"
#include "ops/ops.h"

namespace galen {

struct EncoderLayer {
  VectorParam layer_norm1_w, layer_norm1_b;  // [hidden]
  LinearLayer q_proj, k_proj, v_proj;        // [H * D, hidden]
  LinearLayer out_proj;                      // [hidden, H * D]
  VectorParam layer_norm2_w, layer_norm2_b;  // [hidden]
  LinearLayer fc1;                           // [intermediate, hidden]
  LinearLayer fc2;                           // [hidden, intermediate]
};

// x [T, hidden] -> [T, hidden]:
//   x += out_proj(attention(layer_norm1(x))); x += fc2(activation(fc1(layer_norm2(x)))).
// cu_seqlens as in EncoderAttention. Without a tape, x is consumed: its memory holds the result.
Tensor EncoderBlock(ExecContext& ctx, const EncoderLayer& layer, const EncoderAttentionShape& shape,
                    std::span<const int32_t> cu_seqlens, ActivationKind activation, float eps,
                    const Tensor& x);

// Segments of `count` images of `tokens` tokens each: {0, tokens, 2 tokens, ...}.
std::vector<int32_t> EqualSegments(int64_t count, int64_t tokens);

// The rows that a patch embedding multiplies, in the order of a convolution's weight [out, C, ky,
// kx] with stride `patch`: pixels [C, height, width] -> rows [height / patch * width / patch, C *
// patch * patch], row-major over patches. height and width are multiples of patch.
void UnfoldPatches(const float* pixels, int64_t channels, int64_t height, int64_t width,
                   int64_t patch, float* rows);
// The same from pixels [height, width, C], as an image holds them.
void UnfoldPatchesInterleaved(const float* pixels, int64_t channels, int64_t height, int64_t width,
                              int64_t patch, float* rows);

}  // namespace galen
