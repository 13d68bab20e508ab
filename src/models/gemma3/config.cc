#include "models/gemma3/config.h"

#include <cmath>

#include "models/decoder_config.h"

namespace galen {
namespace {

constexpr double kGlobalTheta = 1e6;
constexpr double kLocalTheta = 1e4;
constexpr int64_t kGlobalEvery = 6;  // layers 5, 11, 17, ... see everything

// In fp32, as the fp32 reference computes it. (In a bf16 program transformers rounds it: 50.5 where
// hidden_size is 2560.)
float EmbeddingScale(int64_t hidden_size) { return std::sqrt(static_cast<float>(hidden_size)); }

// The published 4B, 12B and 27B all divide positions by 8, but the first conversions for Ollama
// leave it out.
bool LacksPublishedScaling(const GgufView& view, const ModelConfig& c) {
  return !view.Has("rope.scaling.type") && !view.Has("rope.scaling.factor") &&
         !view.Has("rope.scale_linear") && c.max_position_embeddings > 32768 &&
         (c.num_hidden_layers == 34 || c.num_hidden_layers == 48 || c.num_hidden_layers == 62);
}

// Ollama's first conversions of the 1B (26 layers) name a soft-cap of 30, which the model does not
// have.
Status RefuseSoftCap(const GgufView& view, const ModelConfig& c) {
  ASSIGN_OR_RETURN(const double cap, view.GetDoubleOr("final_logit_softcapping", 0, -1e9, 1e9));
  if (cap == 0 || (cap == 30 && c.num_hidden_layers == 26)) return OkStatus();
  return Unsupported(view.Describe("final_logit_softcapping") + " is " + std::to_string(cap) +
                     "; soft-capping is not supported");
}

}  // namespace

Result<ModelConfig> Gemma3ConfigFromGguf(const GgufFile& file) {
  const GgufView view(file, "gemma3.");
  // Ollama's conversions of the multimodal models leave the epsilon out.
  ASSIGN_OR_RETURN(ModelConfig c, ReadGgufDecoder(file, view, 1e-6));
  c.architecture = "gemma3";
  RETURN_IF_ERROR(RefuseSoftCap(view, c));
  c.hidden_activation = GateKind::kGeluTanh;
  c.embedding_scale = EmbeddingScale(c.hidden_size);
  // The file does not say query_pre_attn_scalar: it is head_dim, but 168 = hidden / heads in the
  // 27B (62 layers).
  const int64_t scalar =
      c.num_hidden_layers == 62 ? c.hidden_size / c.num_attention_heads : c.head_dim;
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(scalar)));
  ASSIGN_OR_RETURN(c.sliding_window,
                   view.GetIntOr("attention.sliding_window", 0, 0, kMaxPositions));
  if (c.sliding_window > 0) {
    ASSIGN_OR_RETURN(c.layer_is_sliding, ReadLayerKinds(view, c.num_hidden_layers, kGlobalEvery));
  }
  std::vector<float> factors = std::move(c.rope.freq_factors);
  ASSIGN_OR_RETURN(const RopeParameters rope,
                   ReadGgufRope(view, RopeLayers::kGlobal, kGlobalTheta));
  ASSIGN_OR_RETURN(
      c.rope, ToRopeConfig(rope, c.max_position_embeddings, view.Describe("rope.scaling.type")));
  c.rope.freq_factors = std::move(factors);
  if (LacksPublishedScaling(view, c)) {
    c.rope.type = RopeType::kLinear;
    c.rope.factor = 8.0;
  }
  ASSIGN_OR_RETURN(const RopeParameters local,
                   ReadGgufRope(view, RopeLayers::kSliding, kLocalTheta));
  ASSIGN_OR_RETURN(c.rope_local, ToRopeConfig(local, c.max_position_embeddings,
                                              view.Describe("rope.scaling.type")));
  return c;
}

Result<ModelConfig> Gemma3ConfigFromHf(const HfConfig& file) {
  // transformers 5.23, Gemma3TextConfig.
  constexpr HfDecoderDefaults kDefaults = {
      .vocab_size = 262208,
      .hidden_size = 2304,
      .intermediate_size = 9216,
      .num_hidden_layers = 26,
      .num_attention_heads = 8,
      .num_key_value_heads = 4,
      .head_dim = 256,
      .max_position_embeddings = 131072,
      .rms_norm_eps = 1e-6,
      .tie_word_embeddings = true,
      .activation_key = "hidden_activation",
      .activation = "gelu_pytorch_tanh",
  };
  const JsonView& text = file.text();
  ASSIGN_OR_RETURN(ModelConfig c, ReadHfDecoder(file, kDefaults));
  c.architecture = "gemma3";
  c.embedding_scale = EmbeddingScale(c.hidden_size);
  ASSIGN_OR_RETURN(const double scalar, text.GetDoubleOr("query_pre_attn_scalar", 256, 1e-3, 1e6));
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(scalar));
  ASSIGN_OR_RETURN(const bool bias, text.GetBoolOr("attention_bias", false));
  if (bias) return Unsupported(text.Describe("attention_bias") + " is true; no Gemma 3 has biases");
  ASSIGN_OR_RETURN(c.layer_is_sliding, ReadLayerKinds(text, c.num_hidden_layers, kGlobalEvery));
  ASSIGN_OR_RETURN(c.sliding_window, text.GetIntOr("sliding_window", 4096, 1, kMaxPositions));
  ASSIGN_OR_RETURN(const RopeParameters rope, ReadHfRope(text, RopeLayers::kGlobal, kGlobalTheta));
  ASSIGN_OR_RETURN(c.rope,
                   ToRopeConfig(rope, c.max_position_embeddings, text.Describe("rope_parameters")));
  ASSIGN_OR_RETURN(const RopeParameters local, ReadHfRope(text, RopeLayers::kSliding, kLocalTheta));
  ASSIGN_OR_RETURN(c.rope_local, ToRopeConfig(local, c.max_position_embeddings,
                                              text.Describe("rope_parameters")));
  return c;
}

}  // namespace galen
