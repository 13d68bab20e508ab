// The block of Qwen2.5-VL's image tower: RMS normalisation before each half, rotary positions, full
// attention inside segments (windows of patches, or whole images), a gated MLP.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/encoder_attention.h"
#include "nn/layers.h"

namespace galen {

struct GatedEncoderLayer {
  VectorParam norm1;                   // [hidden]
  LinearLayer q_proj, k_proj, v_proj;  // [H * D, hidden]
  LinearLayer out_proj;                // [hidden, H * D]
  VectorParam norm2;                   // [hidden]
  GatedMlpLayer mlp;                   // SiLU
};

// x [T, hidden] -> [T, hidden]. cu_seqlens as in EncoderAttention; cos_sin [T, D] as in Rope.
// Without a tape, x is consumed: its memory holds the result.
Tensor GatedEncoderBlock(ExecContext& ctx, const GatedEncoderLayer& layer,
                         const EncoderAttentionShape& shape, std::span<const int32_t> cu_seqlens,
                         const Tensor& cos_sin, float eps, const Tensor& x);

}  // namespace galen
