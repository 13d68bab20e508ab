// ModelConfig: the hyper-parameters of a decoder, validated, under Hugging Face's names, whatever
// file they came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "kernels/attention.h"
#include "kernels/kernel_table.h"
#include "nn/rotary.h"

namespace galen {

// Limits far above every published model; the product of any three stays below 2^62.
inline constexpr int64_t kMaxHiddenSize = 1 << 18;
inline constexpr int64_t kMaxIntermediateSize = 1 << 20;
inline constexpr int64_t kMaxLayers = 1024;
inline constexpr int64_t kMaxHeads = 4096;
inline constexpr int64_t kMaxHeadDim = 1024;
inline constexpr int64_t kMaxVocabSize = 1 << 23;
inline constexpr int64_t kMaxPositions = int64_t{1} << 30;

struct ModelConfig {
  std::string architecture;  // the row of registry.inc: "gemma3", "llama", "qwen2"
  std::string name;          // general.name or the directory's name; for people only

  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim =
      0;  // never derived from hidden_size / num_attention_heads where a file gives it
  int64_t vocab_size =
      0;  // rows of the embedding table, padding included: the tokenizer may have fewer
  int64_t max_position_embeddings = 0;
  float rms_norm_eps = 0.0f;
  GateKind hidden_activation = GateKind::kSilu;

  // Frequencies of the rotation that turn by time, row and column of a token (Qwen2.5-VL); empty:
  // all turn by one position. Sum to head_dim / 2.
  std::vector<int64_t> mrope_section;
  RopeConfig rope;                        // layers that see everything
  RopeConfig rope_local;                  // sliding-window layers
  int64_t sliding_window = 0;             // 0: no layer slides
  std::vector<uint8_t> layer_is_sliding;  // [num_hidden_layers]

  float attention_scale = 0.0f;  // multiplies q.k: query_pre_attn_scalar^-0.5 or head_dim^-0.5
  float embedding_scale = 1.0f;  // multiplies embedding rows: sqrt(hidden_size) in Gemma, in fp32
  bool tie_word_embeddings = false;
  bool attention_bias = false;         // q, k, v
  bool attention_output_bias = false;  // o
  bool mlp_bias = false;

  std::vector<int32_t>
      eos_token_ids;  // what the model's files call end of sequence; the tokenizer knows more
  int32_t bos_token_id = -1;  // -1: unknown
  int32_t pad_token_id = -1;

  int64_t query_size() const { return num_attention_heads * head_dim; }
  int64_t kv_size() const { return num_key_value_heads * head_dim; }
  // Tokens that layer i looks back, itself included; 0 = all.
  int64_t window(int64_t layer) const { return layer_is_sliding[layer] ? sliding_window : 0; }
  AttentionShape attention_shape(int64_t layer, KvType kv_type) const;
  // Weights of all matrices, embeddings counted once when tied.
  int64_t num_parameters() const;
};

// Checks every field against its range, and products against overflow, so that code behind it may
// multiply freely. `source` (the file) begins the message; the message names the field, its value
// and the range.
Status ValidateConfig(const ModelConfig& config, const std::string& source);

// Bytes of the KV cache of one sequence holding `context` tokens, prefilled in chunks of `chunk`
// tokens: all pages of layers that see everything, and for sliding layers the pages that window +
// chunk tokens can touch at once.
int64_t KvCacheBytes(const ModelConfig& config, KvType type, int64_t context, int64_t chunk);

}  // namespace galen
