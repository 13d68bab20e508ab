// Hugging Face's config.json and generation_config.json, and the readings of them (and of GGUF
// metadata) that several model families share: rotary embedding and sliding layers, in every
// spelling that real files use. Fields of one family are read by that family, through MetadataView.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "formats/metadata_view.h"

namespace galen {

class HfConfig {
 public:
  // Reads config.json and, where it exists, generation_config.json.
  static Result<HfConfig> Open(const std::string& directory);
  // generation: empty = the file does not exist. `directory` is for messages.
  static Result<HfConfig> Parse(std::string_view config, std::string_view generation,
                                const std::string& directory);

  // The whole object, and the part about the text decoder: "text_config" of a multimodal model,
  // else the whole. Valid while this object or a copy of it lives.
  const JsonView& root() const { return root_; }
  const JsonView& text() const { return text_; }

  // "model_type" of root(), e.g. "gemma3", "llama"; empty when the file has none.
  const std::string& model_type() const { return model_type_; }
  // The first of "architectures", e.g. "Gemma3ForConditionalGeneration"; empty when the file has
  // none.
  const std::string& architecture() const { return architecture_; }
  // generation_config.json's when it has any (they are what stops an answer), else config.json's;
  // may be empty.
  const std::vector<int64_t>& eos_token_ids() const { return eos_token_ids_; }

 private:
  HfConfig(std::shared_ptr<const Json> json, JsonView root, JsonView text)
      : json_(std::move(json)), root_(std::move(root)), text_(std::move(text)) {}

  std::shared_ptr<const Json> json_;
  JsonView root_;
  JsonView text_;
  std::string model_type_;
  std::string architecture_;
  std::vector<int64_t> eos_token_ids_;
};

// Hugging Face's rope_parameters. Fields that the type does not use keep their defaults.
struct RopeParameters {
  std::string type = "default";  // "default", "linear", "llama3"; others as the file spells them
                                 // ("yarn", "dynamic", ...)
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  int64_t original_max_position_embeddings = 0;  // 0: not given
  double partial_rotary_factor = 1.0;
};

// Which layers the parameters are for. kSliding: the sliding-window layers of models that give them
// a rotary base of their own (Gemma 3); scaling of the global layers never applies to them.
enum class RopeLayers { kGlobal, kSliding };

// From a config.json: rope_parameters (flat, or one object for each layer type), or the older
// rope_theta, rope_scaling {rope_type | type, factor, ...} and rope_local_base_freq. default_theta:
// when the file has none. A type that cannot be computed without a factor that is absent is
// NotFound; whether a type is known is the caller's to say.
Result<RopeParameters> ReadHfRope(const JsonView& text, RopeLayers layers, double default_theta);

// From GGUF metadata (prefix = architecture): rope.freq_base, rope.scaling.*, and the spellings of
// llama.cpp and Ollama for sliding layers. Files of llama3 scaling carry a tensor rope_freqs.weight
// instead, which the model reads.
Result<RopeParameters> ReadGgufRope(const MetadataView& metadata, RopeLayers layers,
                                    double default_theta);

// For each layer, whether it attends within a sliding window: from layer_types, or
// [_]sliding_window_pattern n (every n-th layer is global), or GGUF's
// attention.sliding_window_pattern (number, or a list with true = sliding). default_pattern: when
// the file says nothing; 0 = no layer slides.
Result<std::vector<bool>> ReadSlidingLayers(const MetadataView& text, int64_t num_layers,
                                            int64_t default_pattern);

}  // namespace galen
