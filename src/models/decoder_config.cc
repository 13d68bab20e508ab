#include "models/decoder_config.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

const TensorInfo* FindTensor(const GgufFile& file, std::string_view name) {
  for (const TensorInfo& tensor : file.tensors()) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

// Metadata that would change the arithmetic in ways that no family here knows.
Status RefuseGgufVariants(const GgufView& view) {
  ASSIGN_OR_RETURN(const int64_t experts, view.GetIntOr("expert_count", 0, 0, 1 << 20));
  if (experts > 0) {
    return Unsupported(view.Describe("expert_count") + " is " + std::to_string(experts) +
                       "; mixtures of experts are not supported");
  }
  ASSIGN_OR_RETURN(const bool causal, view.GetBoolOr("attention.causal", true));
  if (!causal) {
    return Unsupported(view.Describe("attention.causal") + " is false; this is no causal decoder");
  }
  ASSIGN_OR_RETURN(const double cap, view.GetDoubleOr("attn_logit_softcapping", 0, -1e9, 1e9));
  if (cap != 0) {
    return Unsupported(view.Describe("attn_logit_softcapping") + " is " + std::to_string(cap) +
                       "; soft-capping is not supported");
  }
  return OkStatus();
}

Result<std::vector<float>> ReadFreqFactors(const GgufFile& file, int64_t head_dim) {
  const TensorInfo* tensor = FindTensor(file, "rope_freqs.weight");
  if (tensor == nullptr) return std::vector<float>();
  if (tensor->dtype != DType::kF32 || tensor->shape.size() != 1 ||
      tensor->shape[0] != head_dim / 2) {
    return DataLoss(file.name() + ": rope_freqs.weight: expected F32 [" +
                    std::to_string(head_dim / 2) + "] (half of head_dim), found " +
                    std::string(tensor->type_name) + " of " +
                    std::to_string(tensor->NumElements()) + " values");
  }
  std::vector<float> factors(head_dim / 2);
  FormatOf(DType::kF32).decode(tensor->bytes.data(), factors.data(), head_dim / 2);
  return factors;
}

Status ReadGgufTokens(const GgufFile& file, ModelConfig* config) {
  const GgufView tokens(file, "tokenizer.ggml.");
  const int64_t last = config->vocab_size - 1;
  ASSIGN_OR_RETURN(config->bos_token_id, tokens.GetIntOr("bos_token_id", -1, 0, last));
  ASSIGN_OR_RETURN(config->pad_token_id, tokens.GetIntOr("padding_token_id", -1, 0, last));
  for (const char* key : {"eos_token_id", "eot_token_id"}) {
    if (!tokens.Has(key)) continue;
    ASSIGN_OR_RETURN(const int64_t id, tokens.GetInt(key, 0, last));
    config->eos_token_ids.push_back(static_cast<int32_t>(id));
  }
  return OkStatus();
}

Result<GateKind> ReadActivation(const JsonView& text, const HfDecoderDefaults& defaults) {
  ASSIGN_OR_RETURN(const std::string name,
                   text.GetStringOr(defaults.activation_key, defaults.activation));
  if (name == "silu") return GateKind::kSilu;
  if (name == "gelu_pytorch_tanh") return GateKind::kGeluTanh;
  return Unsupported(text.Describe(defaults.activation_key) + " is '" + name.substr(0, 40) +
                     "'; known: silu, gelu_pytorch_tanh");
}

// Keys of config.json that would change the arithmetic in ways that no family here knows.
Status RefuseHfVariants(const HfConfig& file) {
  const JsonView& text = file.text();
  for (const JsonView* view : {&file.root(), &text}) {
    ASSIGN_OR_RETURN(const JsonView quantised, view->Object("quantization_config"));
    ASSIGN_OR_RETURN(const std::string method, quantised.GetStringOr("quant_method", ""));
    // bitsandbytes: the tensors say all that is needed (formats/bitsandbytes.h).
    if (view->Has("quantization_config") && method != "bitsandbytes") {
      return Unsupported(quantised.Describe("quant_method") + " is '" + method.substr(0, 40) +
                         "'; of weights quantised inside a Hugging Face directory those of "
                         "bitsandbytes (4-bit, LLM.int8) are supported; use such a checkpoint, the "
                         "unquantised one or a GGUF file");
    }
  }
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (text.Has(key)) return Unsupported(text.Describe(key) + ": soft-capping is not supported");
  }
  ASSIGN_OR_RETURN(const bool both_ways, text.GetBoolOr("use_bidirectional_attention", false));
  if (both_ways) {
    return Unsupported(text.Describe("use_bidirectional_attention") +
                       " is true; this is no causal decoder");
  }
  return OkStatus();
}

}  // namespace

Result<ModelConfig> ReadGgufDecoder(const GgufFile& file, const GgufView& view,
                                    double default_rms_norm_eps) {
  constexpr const char* kEpsilon = "attention.layer_norm_rms_epsilon";
  ModelConfig c;
  RETURN_IF_ERROR(RefuseGgufVariants(view));
  const GgufView general(file, "general.");
  ASSIGN_OR_RETURN(c.name, general.GetStringOr("name", ""));
  ASSIGN_OR_RETURN(c.hidden_size, view.GetInt("embedding_length", 1, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size,
                   view.GetInt("feed_forward_length", 1, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_hidden_layers, view.GetInt("block_count", 1, kMaxLayers));
  ASSIGN_OR_RETURN(c.num_attention_heads, view.GetInt("attention.head_count", 1, kMaxHeads));
  ASSIGN_OR_RETURN(c.num_key_value_heads,
                   view.GetIntOr("attention.head_count_kv", c.num_attention_heads, 1, kMaxHeads));
  ASSIGN_OR_RETURN(
      c.head_dim,
      view.GetIntOr("attention.key_length", c.hidden_size / c.num_attention_heads, 2, kMaxHeadDim));
  ASSIGN_OR_RETURN(const int64_t value_length,
                   view.GetIntOr("attention.value_length", c.head_dim, 1, kMaxHeadDim));
  if (value_length != c.head_dim) {
    return Unsupported(view.Describe("attention.value_length") + " is " +
                       std::to_string(value_length) + ", but attention.key_length is " +
                       std::to_string(c.head_dim) + "; heads of unequal keys and values");
  }
  ASSIGN_OR_RETURN(const int64_t rotated,
                   view.GetIntOr("rope.dimension_count", c.head_dim, 1, kMaxHeadDim));
  if (rotated != c.head_dim) {
    return Unsupported(view.Describe("rope.dimension_count") + " is " + std::to_string(rotated) +
                       " of a head of " + std::to_string(c.head_dim) +
                       "; partial rotation is not supported");
  }
  ASSIGN_OR_RETURN(c.max_position_embeddings, view.GetInt("context_length", 1, kMaxPositions));
  if (default_rms_norm_eps == 0 || view.Has(kEpsilon)) {
    ASSIGN_OR_RETURN(c.rms_norm_eps, view.GetDouble(kEpsilon, 1e-12, 1e-2));
  } else {
    c.rms_norm_eps = static_cast<float>(default_rms_norm_eps);
  }

  const TensorInfo* table = FindTensor(file, "token_embd.weight");
  if (table == nullptr) return DataLoss(file.name() + ": the tensor token_embd.weight is missing");
  if (table->shape.size() != 2 || table->shape[0] > kMaxVocabSize) {
    return DataLoss(file.name() + ": token_embd.weight: expected a matrix of at most " +
                    std::to_string(kMaxVocabSize) + " rows");
  }
  c.vocab_size = table->shape[0];
  c.tie_word_embeddings = FindTensor(file, "output.weight") == nullptr;
  RETURN_IF_ERROR(ReadGgufTokens(file, &c));

  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  c.layer_is_sliding.assign(c.num_hidden_layers, 0);
  ASSIGN_OR_RETURN(const RopeParameters rope, ReadGgufRope(view, RopeLayers::kGlobal, 10000.0));
  ASSIGN_OR_RETURN(
      c.rope, ToRopeConfig(rope, c.max_position_embeddings, view.Describe("rope.scaling.type")));
  ASSIGN_OR_RETURN(c.rope.freq_factors, ReadFreqFactors(file, c.head_dim));
  c.rope_local = c.rope;
  return c;
}

Result<ModelConfig> ReadHfDecoder(const HfConfig& file, const HfDecoderDefaults& defaults) {
  ModelConfig c;
  RETURN_IF_ERROR(RefuseHfVariants(file));
  const JsonView& text = file.text();
  // A field without a default must be there.
  const auto read = [&text](const char* key, int64_t fallback, int64_t max) -> Result<int64_t> {
    return fallback == 0 ? text.GetInt(key, 1, max) : text.GetIntOr(key, fallback, 1, max);
  };
  ASSIGN_OR_RETURN(c.vocab_size, read("vocab_size", defaults.vocab_size, kMaxVocabSize));
  ASSIGN_OR_RETURN(c.hidden_size, read("hidden_size", defaults.hidden_size, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size,
                   read("intermediate_size", defaults.intermediate_size, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_hidden_layers,
                   read("num_hidden_layers", defaults.num_hidden_layers, kMaxLayers));
  ASSIGN_OR_RETURN(c.num_attention_heads,
                   read("num_attention_heads", defaults.num_attention_heads, kMaxHeads));
  const int64_t kv_heads = defaults.num_key_value_heads;
  ASSIGN_OR_RETURN(
      c.num_key_value_heads,
      read("num_key_value_heads", kv_heads == 0 ? c.num_attention_heads : kv_heads, kMaxHeads));
  const int64_t head_dim = defaults.head_dim;
  ASSIGN_OR_RETURN(
      c.head_dim,
      text.GetIntOr("head_dim", head_dim == 0 ? c.hidden_size / c.num_attention_heads : head_dim, 2,
                    kMaxHeadDim));
  ASSIGN_OR_RETURN(
      c.max_position_embeddings,
      read("max_position_embeddings", defaults.max_position_embeddings, kMaxPositions));
  ASSIGN_OR_RETURN(c.rms_norm_eps,
                   text.GetDoubleOr("rms_norm_eps", defaults.rms_norm_eps, 1e-12, 1e-2));
  ASSIGN_OR_RETURN(c.hidden_activation, ReadActivation(text, defaults));
  ASSIGN_OR_RETURN(const bool tied,
                   file.root().GetBoolOr("tie_word_embeddings", defaults.tie_word_embeddings));
  ASSIGN_OR_RETURN(c.tie_word_embeddings, text.GetBoolOr("tie_word_embeddings", tied));

  // Ids of other parts of a multimodal model may lie beyond the text vocabulary.
  for (const int64_t id : file.eos_token_ids()) {
    if (id < c.vocab_size) c.eos_token_ids.push_back(static_cast<int32_t>(id));
  }
  const auto special = [&](const char* key) -> Result<int64_t> {
    ASSIGN_OR_RETURN(const int64_t outer, file.root().GetIntOr(key, -1, -1, kMaxVocabSize));
    return text.GetIntOr(key, outer, -1, kMaxVocabSize);
  };
  ASSIGN_OR_RETURN(c.bos_token_id, special("bos_token_id"));
  ASSIGN_OR_RETURN(c.pad_token_id, special("pad_token_id"));

  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
  c.layer_is_sliding.assign(c.num_hidden_layers, 0);
  return c;
}

Result<RopeConfig> ToRopeConfig(const RopeParameters& rope, int64_t max_position_embeddings,
                                const std::string& where) {
  RopeConfig config;
  const Result<RopeType> type = RopeTypeFromName(rope.type);
  if (!type.ok()) return type.status().WithContext(where);
  config.type = *type;
  if (rope.partial_rotary_factor != 1.0) {
    return Unsupported(where + ": partial_rotary_factor is " +
                       std::to_string(rope.partial_rotary_factor) +
                       "; partial rotation is not supported");
  }
  config.theta = rope.theta;
  config.factor = rope.factor;
  config.low_freq_factor = rope.low_freq_factor;
  config.high_freq_factor = rope.high_freq_factor;
  config.original_max_position_embeddings = static_cast<double>(
      rope.original_max_position_embeddings != 0 ? rope.original_max_position_embeddings
                                                 : max_position_embeddings);
  return config;
}

Result<std::vector<uint8_t>> ReadLayerKinds(const MetadataView& view, int64_t num_layers,
                                            int64_t default_pattern) {
  ASSIGN_OR_RETURN(const std::vector<bool> sliding,
                   ReadSlidingLayers(view, num_layers, default_pattern));
  return std::vector<uint8_t>(sliding.begin(), sliding.end());
}

}  // namespace galen
