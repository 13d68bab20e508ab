#include "models/llama/config.h"

#include "models/decoder_config.h"

namespace galen {
namespace {

// transformers 5.23, LlamaConfig.
constexpr HfDecoderDefaults kLlamaDefaults = {
    .vocab_size = 32000,
    .hidden_size = 4096,
    .intermediate_size = 11008,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .max_position_embeddings = 2048,
};

// transformers 5.23, MistralConfig.
constexpr HfDecoderDefaults kMistralDefaults = {
    .vocab_size = 32000,
    .hidden_size = 4096,
    .intermediate_size = 14336,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .num_key_value_heads = 8,
    .max_position_embeddings = 131072,
};

void SlideEverywhere(int64_t window, ModelConfig* config) {
  config->sliding_window = window;
  config->layer_is_sliding.assign(config->num_hidden_layers, window > 0 ? 1 : 0);
}

}  // namespace

Result<ModelConfig> LlamaConfigFromGguf(const GgufFile& file) {
  const GgufView view(file, "llama.");
  ASSIGN_OR_RETURN(ModelConfig c, ReadGgufDecoder(file, view));
  c.architecture = "llama";
  ASSIGN_OR_RETURN(const double cap, view.GetDoubleOr("final_logit_softcapping", 0, -1e9, 1e9));
  if (cap != 0) {
    return Unsupported(view.Describe("final_logit_softcapping") +
                       ": soft-capping is not supported");
  }
  // Biases are what the tensors say: the metadata has no word for them.
  for (const TensorInfo& tensor : file.tensors()) {
    if (tensor.name == "blk.0.attn_q.bias") c.attention_bias = true;
    if (tensor.name == "blk.0.attn_output.bias") c.attention_output_bias = true;
    if (tensor.name == "blk.0.ffn_gate.bias") c.mlp_bias = true;
  }
  ASSIGN_OR_RETURN(const int64_t window,
                   view.GetIntOr("attention.sliding_window", 0, 0, kMaxPositions));
  SlideEverywhere(window, &c);
  return c;
}

Result<ModelConfig> LlamaConfigFromHf(const HfConfig& file) {
  const JsonView& text = file.text();
  const bool mistral = file.model_type() == "mistral";
  ASSIGN_OR_RETURN(ModelConfig c, ReadHfDecoder(file, mistral ? kMistralDefaults : kLlamaDefaults));
  c.architecture = "llama";
  if (mistral) {
    // An absent window is Mistral 7B v0.1's; null means none (v0.2 and later).
    ASSIGN_OR_RETURN(
        const int64_t window,
        text.GetIntOr("sliding_window", text.json().contains("sliding_window") ? 0 : 4096, 1,
                      kMaxPositions));
    SlideEverywhere(window, &c);
  } else {
    ASSIGN_OR_RETURN(c.attention_bias, text.GetBoolOr("attention_bias", false));
    c.attention_output_bias = c.attention_bias;
    ASSIGN_OR_RETURN(c.mlp_bias, text.GetBoolOr("mlp_bias", false));
  }
  ASSIGN_OR_RETURN(const RopeParameters rope, ReadHfRope(text, RopeLayers::kGlobal, 10000.0));
  ASSIGN_OR_RETURN(c.rope,
                   ToRopeConfig(rope, c.max_position_embeddings, text.Describe("rope_parameters")));
  c.rope_local = c.rope;
  return c;
}

}  // namespace galen
