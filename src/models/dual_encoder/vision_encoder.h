// The image tower of SigLIP and CLIP: patches, learned positions, pre-norm blocks. References:
// https://arxiv.org/abs/2303.15343, https://arxiv.org/abs/2103.00020; transformers 5.23,
// models/siglip and models/clip.
#pragma once

#include "models/dual_encoder/attention_pool.h"
#include "models/dual_encoder/dual_encoder_config.h"

namespace galen {

class VisionEncoder {
 public:
  explicit VisionEncoder(const DualEncoderConfig& config);

  // patches [n * config.patches(), patch_values], as UnfoldPatches writes them. Returns the tokens
  // of all images, [n * tokens(), hidden_size]; SigLIP's are normalised by post_layernorm.
  // Observed: "vision.embeddings", "vision.pre_layrnorm" (CLIP), "vision.layers.N",
  // "vision.post_layernorm" (SigLIP; CLIP's comes with Pool).
  Tensor Forward(ExecContext& ctx, const Tensor& patches, int64_t n) const;
  // One row for each image, [n, hidden_size]: SigLIP's attention pooling, or CLIP's normalised
  // class token.
  Tensor Pool(ExecContext& ctx, const Tensor& tokens, int64_t n) const;
  // The mean of each image's patch tokens, [n, hidden_size], which classification heads see.
  Tensor MeanPatches(ExecContext& ctx, const Tensor& tokens, int64_t n) const;

  // Tokens of one image: its patches and CLIP's class token.
  int64_t tokens() const { return config_.patches() + (siglip_ ? 0 : 1); }
  void AddParams(ParamTable* table);
  EncoderStack& stack() { return stack_; }
  // Upper bound of the temporaries of all of the above, patches included.
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const;

 private:
  const VisionEncoderConfig config_;
  const bool siglip_;
  LinearLayer patch_embedding_;          // [hidden, 3 * patch * patch]; CLIP's has no bias
  VectorParam class_embedding_;          // CLIP: [hidden]
  VectorParam position_embedding_;       // [tokens, hidden]
  VectorParam pre_norm_w_, pre_norm_b_;  // CLIP
  EncoderStack stack_;
  VectorParam post_norm_w_, post_norm_b_;
  AttentionPool head_;  // SigLIP
};

}  // namespace galen
