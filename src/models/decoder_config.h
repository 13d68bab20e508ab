// What the files of all decoder families say in the same way. A family calls one of these, then
// reads its own fields.
#pragma once

#include "formats/gguf.h"
#include "formats/hf_config.h"
#include "models/model_config.h"

namespace galen {

// Sizes, heads, context, epsilon, special tokens, vocabulary (rows of token_embd.weight) and tying
// (no output.weight) from GGUF metadata whose keys begin with `prefix` ("llama."). head_dim:
// attention.key_length, else hidden / heads. All layers see everything. Refuses what no family here
// computes: experts, soft-capping, partial rotary, non-causal attention. default_rms_norm_eps:
// where the file has none; 0: it must have one.
Result<ModelConfig> ReadGgufDecoder(const GgufFile& file, const GgufView& view,
                                    double default_rms_norm_eps = 0);

// What a config.json may leave out: the defaults of the family's class in transformers. 0: no
// default.
struct HfDecoderDefaults {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;  // 0: as many as attention heads
  int64_t head_dim = 0;             // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  const char* activation_key = "hidden_act";
  const char* activation = "silu";
};

// The same from config.json. Refuses weights that are quantised by a method that galen does not
// read.
Result<ModelConfig> ReadHfDecoder(const HfConfig& file, const HfDecoderDefaults& defaults);

// Rotary parameters as the model computes with them. Unsupported: an unknown type, or a partial
// rotation.
// `where` begins the message.
Result<RopeConfig> ToRopeConfig(const RopeParameters& rope, int64_t max_position_embeddings,
                                const std::string& where);

// ReadSlidingLayers as ModelConfig keeps it.
Result<std::vector<uint8_t>> ReadLayerKinds(const MetadataView& view, int64_t num_layers,
                                            int64_t default_pattern);

}  // namespace galen
