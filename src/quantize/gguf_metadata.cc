#include "quantize/gguf_metadata.h"

#include <algorithm>

#include "nn/rotary.h"

namespace galen {
namespace {

uint32_t U32(int64_t value) { return static_cast<uint32_t>(value); }

// Pattern of sliding layers as llama.cpp takes it for granted for Gemma 3: every sixth sees
// everything.
bool EverySixthIsGlobal(const ModelConfig& c) {
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    if ((c.layer_is_sliding[i] != 0) != ((i + 1) % 6 != 0)) return false;
  }
  return true;
}

}  // namespace

Status SetGgufMetadata(const ModelFiles& files, GgufWriter* writer) {
  const ModelConfig& c = files.config;
  const std::string& path = files.checkpoint->path();
  std::string prefix = c.architecture + ".";
  if (c.architecture == "qwen2_5_vl") prefix = "qwen2vl.";
  const bool gemma = c.architecture == "gemma3";
  if (!gemma && c.architecture != "llama" && c.architecture != "qwen2" &&
      c.architecture != "qwen2_5_vl") {
    return Unsupported(path + ": the family " + c.architecture +
                       " cannot be written as GGUF; known are gemma3, llama, qwen2 and qwen2_5_vl");
  }
  const bool slides = std::any_of(c.layer_is_sliding.begin(), c.layer_is_sliding.end(),
                                  [](uint8_t s) { return s != 0; });
  if (slides && (!gemma || !EverySixthIsGlobal(c))) {
    return Unsupported(path + ": llama.cpp has no words for this model's sliding-window layers");
  }
  writer->Set("general.architecture", std::string_view(prefix).substr(0, prefix.size() - 1));
  writer->Set("general.name", c.name);
  const auto set = [&](const char* key, auto value) { writer->Set(prefix + key, value); };
  set("context_length", U32(c.max_position_embeddings));
  set("embedding_length", U32(c.hidden_size));
  set("block_count", U32(c.num_hidden_layers));
  set("feed_forward_length", U32(c.intermediate_size));
  set("attention.head_count", U32(c.num_attention_heads));
  set("attention.head_count_kv", U32(c.num_key_value_heads));
  set("attention.key_length", U32(c.head_dim));
  set("attention.value_length", U32(c.head_dim));
  set("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  set("vocab_size", U32(c.vocab_size));
  set("rope.freq_base", static_cast<float>(c.rope.theta));
  if (!gemma) set("rope.dimension_count", U32(c.head_dim));
  if (slides) set("attention.sliding_window", U32(c.sliding_window));
  if (gemma && c.rope_local.theta != 1e4) {
    set("rope.freq_base_swa", static_cast<float>(c.rope_local.theta));
  }
  if (c.rope.type == RopeType::kLinear) {
    set("rope.scaling.type", "linear");
    set("rope.scaling.factor", static_cast<float>(c.rope.factor));
  }
  if (!c.mrope_section.empty()) {
    std::vector<int32_t> sections(c.mrope_section.begin(), c.mrope_section.end());
    sections.resize(4, 0);
    writer->Set(prefix + "rope.dimension_sections", std::span<const int32_t>(sections));
  }
  return OkStatus();
}

std::vector<float> RopeFreqs(const ModelConfig& config) {
  if (config.rope.type != RopeType::kLlama3) return {};
  RopeConfig plain = config.rope;
  plain.type = RopeType::kDefault;
  const std::vector<float> from = InverseFrequencies(plain, config.head_dim);
  std::vector<float> factors = InverseFrequencies(config.rope, config.head_dim);
  for (size_t i = 0; i < factors.size(); ++i) factors[i] = from[i] / factors[i];
  return factors;
}

}  // namespace galen
