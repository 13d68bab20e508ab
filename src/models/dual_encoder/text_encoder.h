// The text tower of SigLIP and CLIP: token and position embeddings, pre-norm blocks, one row that
// stands for the text. References as in vision_encoder.h.
#pragma once

#include "models/dual_encoder/dual_encoder_config.h"

namespace galen {

class TextEncoder {
 public:
  explicit TextEncoder(const DualEncoderConfig& config);

  // Texts one after the other, text i = ids[cu_seqlens[i] .. cu_seqlens[i + 1]), none empty or
  // longer than max_position_embeddings. SigLIP's must be padded to the full length, since its last
  // row stands for the text. Returns one row for each, [n, embedding_size of SigLIP, hidden_size of
  // CLIP]. SigLIP: every row sees all, and the last one goes through the head. CLIP: causal; the
  // row of the end token. Observed: "text.embeddings", "text.layers.N", "text.final_layer_norm".
  Tensor Forward(ExecContext& ctx, std::span<const int32_t> ids,
                 std::span<const int32_t> cu_seqlens) const;
  void AddParams(ParamTable* table);
  // Upper bound of Forward's temporaries for n texts of full length.
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const;

 private:
  // The row, within its text, that stands for it.
  int64_t PooledRow(std::span<const int32_t> ids) const;

  const TextEncoderConfig config_;
  const bool siglip_;
  const int64_t embedding_size_;
  Weight token_embedding_;     // [vocab, hidden]
  Weight position_embedding_;  // [positions, hidden]
  EncoderStack stack_;
  VectorParam final_norm_w_, final_norm_b_;
  LinearLayer head_;  // SigLIP
};

}  // namespace galen
