// The transformer blocks that all image towers and the text towers of image-text models share,
// their parameters under Hugging Face's names ("encoder.layers.N.self_attn.q_proj.weight") and
// llama.cpp's ("blk.N.attn_q.weight"), and the reading of their hyper-parameters.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/metadata_view.h"
#include "models/arena_bytes.h"
#include "models/param_table.h"
#include "nn/encoder.h"
#include "tensor/arena.h"

namespace galen {

struct EncoderStackConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  float layer_norm_eps = 0.0f;
  ActivationKind hidden_act = ActivationKind::kGelu;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
  EncoderAttentionShape attention_shape() const;
  // Weights of all matrices.
  int64_t num_parameters() const;
};

// Reads vision_config or text_config; `defaults` stands for absent keys. DataLoss names a value out
// of range, Unsupported an activation that is not known.
Result<EncoderStackConfig> ReadEncoderStack(const JsonView& view,
                                            const EncoderStackConfig& defaults);

class EncoderStack {
 public:
  explicit EncoderStack(const EncoderStackConfig& config)
      : config_(config), layers_(static_cast<size_t>(config.num_hidden_layers)) {}

  // x [T, hidden_size], consumed as by EncoderBlock, through all blocks. Rows see their segment
  // [cu_seqlens[i], cu_seqlens[i + 1]): all of it, or under `causal` what does not lie behind them.
  // Observed: "name.N".
  Tensor Forward(ExecContext& ctx, std::span<const int32_t> cu_seqlens, bool causal,
                 std::string_view name, Tensor x) const;

  // Copies the layers with matrices of 8 bits (nn/encoder_int8.h), which Forward takes under
  // Compute::kInt8 unless it is causal; the layers as they were stay for the other modes. The
  // weights must be filled. Int8Bytes: upper bound of what that allocates.
  Status MakeInt8(const KernelTable& kernels, ThreadPool& pool);
  int64_t Int8Bytes(const KernelTable& kernels) const;

  // A table for AddParams and what surrounds it.
  static ParamTable Table() { return ParamTable("encoder.layers.", "blk."); }
  void AddParams(ParamTable* table);

  // Upper bound of Forward's temporaries.
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads, int64_t num_tokens,
                     int64_t longest_segment) const;

  const EncoderStackConfig& config() const { return config_; }

 private:
  const EncoderStackConfig config_;
  std::vector<EncoderLayer> layers_;
  std::vector<EncoderLayer> int8_layers_;  // empty until MakeInt8
  PageBuffer int8_memory_;
};

// Adds "NAME.weight" [out, in] and, unless the layer has none, "NAME.bias".
void AddLinearParams(ParamTable* table, const std::string& name, int64_t out, int64_t in, bool bias,
                     LinearLayer* layer);
// Adds "NAME.weight" and "NAME.bias" [size].
void AddNormParams(ParamTable* table, const std::string& name, int64_t size, VectorParam* weight,
                   VectorParam* bias);

}  // namespace galen
