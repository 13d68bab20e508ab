#include "models/model_config.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

Status CheckConfigRange(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return OkStatus();
  return DataLoss(std::string(field) + " is " + std::to_string(value) + ", expected " +
                  std::to_string(low) + ".." + std::to_string(high));
}

// Written so that NaN fails too.
Status CheckConfigRange(const char* field, double value, double low, double high) {
  if (value >= low && value <= high) return OkStatus();
  return DataLoss(std::string(field) + " is " + std::to_string(value) + ", expected " +
                  std::to_string(low) + ".." + std::to_string(high));
}

Status Validate(const ModelConfig& c) {
  RETURN_IF_ERROR(CheckConfigRange("hidden_size", c.hidden_size, 1, kMaxHiddenSize));
  RETURN_IF_ERROR(
      CheckConfigRange("intermediate_size", c.intermediate_size, 1, kMaxIntermediateSize));
  RETURN_IF_ERROR(CheckConfigRange("num_hidden_layers", c.num_hidden_layers, 1, kMaxLayers));
  RETURN_IF_ERROR(CheckConfigRange("num_attention_heads", c.num_attention_heads, 1, kMaxHeads));
  RETURN_IF_ERROR(
      CheckConfigRange("num_key_value_heads", c.num_key_value_heads, 1, c.num_attention_heads));
  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    return DataLoss("num_attention_heads (" + std::to_string(c.num_attention_heads) +
                    ") is not a multiple of num_key_value_heads (" +
                    std::to_string(c.num_key_value_heads) + ")");
  }
  RETURN_IF_ERROR(CheckConfigRange("head_dim", c.head_dim, 2, kMaxHeadDim));
  if (c.head_dim % 2 != 0) {
    return DataLoss("head_dim is " + std::to_string(c.head_dim) +
                    ", expected an even number (rotary embedding turns pairs)");
  }
  RETURN_IF_ERROR(CheckConfigRange("vocab_size", c.vocab_size, 1, kMaxVocabSize));
  RETURN_IF_ERROR(
      CheckConfigRange("max_position_embeddings", c.max_position_embeddings, 1, kMaxPositions));
  RETURN_IF_ERROR(
      CheckConfigRange("rms_norm_eps", static_cast<double>(c.rms_norm_eps), 1e-12, 1e-2));
  RETURN_IF_ERROR(
      CheckConfigRange("attention_scale", static_cast<double>(c.attention_scale), 1e-6, 1e3));
  RETURN_IF_ERROR(
      CheckConfigRange("embedding_scale", static_cast<double>(c.embedding_scale), 1e-6, 1e6));
  RETURN_IF_ERROR(CheckConfigRange("sliding_window", c.sliding_window, 0, kMaxPositions));
  if (static_cast<int64_t>(c.layer_is_sliding.size()) != c.num_hidden_layers) {
    return DataLoss("layer_types names " + std::to_string(c.layer_is_sliding.size()) +
                    " layers, expected num_hidden_layers = " + std::to_string(c.num_hidden_layers));
  }
  const bool slides = std::any_of(c.layer_is_sliding.begin(), c.layer_is_sliding.end(),
                                  [](uint8_t s) { return s != 0; });
  if (slides && c.sliding_window == 0) {
    return DataLoss("layer_types has sliding layers, but sliding_window is not given");
  }
  RETURN_IF_ERROR(ValidateRope(c.rope, c.head_dim));
  RETURN_IF_ERROR(ValidateRope(c.rope_local, c.head_dim).WithContext("sliding layers"));
  for (const int32_t id : c.eos_token_ids) {
    RETURN_IF_ERROR(CheckConfigRange("eos_token_id", int64_t{id}, 0, c.vocab_size - 1));
  }
  return OkStatus();
}

}  // namespace

AttentionShape ModelConfig::attention_shape(int64_t layer, KvType kv_type) const {
  AttentionShape shape;
  shape.num_heads = num_attention_heads;
  shape.num_kv_heads = num_key_value_heads;
  shape.head_dim = head_dim;
  shape.scale = attention_scale;
  shape.window = window(layer);
  shape.kv_type = kv_type;
  return shape;
}

int64_t ModelConfig::num_parameters() const {
  const int64_t attention = hidden_size * (2 * query_size() + 2 * kv_size());
  const int64_t mlp = 3 * hidden_size * intermediate_size;
  const int64_t embeddings = (tie_word_embeddings ? 1 : 2) * vocab_size * hidden_size;
  return num_hidden_layers * (attention + mlp) + embeddings;
}

Status ValidateConfig(const ModelConfig& config, const std::string& source) {
  return Validate(config).WithContext(source);
}

int64_t KvCacheBytes(const ModelConfig& config, KvType type, int64_t context, int64_t chunk) {
  const int64_t page = KvPageBytes(type, config.num_key_value_heads, config.head_dim);
  const int64_t all = (context + kPageTokens - 1) / kPageTokens;
  int64_t pages = 0;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const int64_t window = config.window(i);
    // window + chunk - 1 tokens, wherever in a page they begin.
    const int64_t held = (window + chunk - 1 + kPageTokens - 2) / kPageTokens + 1;
    pages += window == 0 ? all : std::min(all, held);
  }
  return pages * page;
}

}  // namespace galen
