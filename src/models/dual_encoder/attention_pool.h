// SigLIP's pooling head: attention of one learned query over the tokens of an image, then a
// residual MLP. Reference: SiglipMultiheadAttentionPoolingHead, transformers 5.23.
#pragma once

#include "models/dual_encoder/encoder_stack.h"

namespace galen {

class AttentionPool {
 public:
  explicit AttentionPool(const EncoderStackConfig& config) : config_(config) {}

  // x [n * rows, hidden_size] -> [n, hidden_size]:
  //   a = out_proj(attention(probe, x, x)); a + fc2(act(fc1(layernorm(a)))).
  Tensor Forward(ExecContext& ctx, const Tensor& x, int64_t rows) const;
  // Names begin with "head."; queries, keys and values are the thirds of attention.in_proj_weight.
  void AddParams(ParamTable* table);
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n, int64_t rows) const;

 private:
  const EncoderStackConfig config_;
  Weight probe_;  // [1, hidden]
  LinearLayer q_proj_, k_proj_, v_proj_, out_proj_;
  VectorParam norm_w_, norm_b_;
  LinearLayer fc1_, fc2_;
};

}  // namespace galen
