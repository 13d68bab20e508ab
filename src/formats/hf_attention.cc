// Rotary embedding and sliding layers out of configuration files: the spellings of transformers 4
// and 5, llama.cpp, Ollama.
#include <string>

#include "formats/hf_config.h"
#include "formats/quote.h"

namespace galen {
namespace {

// Beyond these, frequencies underflow or positions lose their meaning.
constexpr double kMinTheta = 1.0;
constexpr double kMaxTheta = 1e12;
constexpr double kMinFactor = 1e-3;
constexpr double kMaxFactor = 1e6;
constexpr int64_t kMaxPositions = int64_t{1} << 40;
constexpr int64_t kMaxPattern = 1 << 16;

constexpr std::string_view kFull = "full_attention";
constexpr std::string_view kSliding = "sliding_attention";

// Lets the fields of one object override `rope`. Factors that were not seen yet are 0.
Status Override(const JsonView& view, RopeParameters* rope) {
  // "type" is the older spelling; both occur together in files made for old and new programs.
  ASSIGN_OR_RETURN(const std::string old_type, view.GetStringOr("type", rope->type));
  ASSIGN_OR_RETURN(rope->type, view.GetStringOr("rope_type", old_type));
  ASSIGN_OR_RETURN(rope->theta, view.GetDoubleOr("rope_theta", rope->theta, kMinTheta, kMaxTheta));
  ASSIGN_OR_RETURN(
      rope->partial_rotary_factor,
      view.GetDoubleOr("partial_rotary_factor", rope->partial_rotary_factor, 1e-3, 1.0));
  ASSIGN_OR_RETURN(rope->factor, view.GetDoubleOr("factor", rope->factor, kMinFactor, kMaxFactor));
  ASSIGN_OR_RETURN(rope->low_freq_factor, view.GetDoubleOr("low_freq_factor", rope->low_freq_factor,
                                                           kMinFactor, kMaxFactor));
  ASSIGN_OR_RETURN(
      rope->high_freq_factor,
      view.GetDoubleOr("high_freq_factor", rope->high_freq_factor, kMinFactor, kMaxFactor));
  ASSIGN_OR_RETURN(rope->original_max_position_embeddings,
                   view.GetIntOr("original_max_position_embeddings",
                                 rope->original_max_position_embeddings, 1, kMaxPositions));
  return OkStatus();
}

// Refuses a type whose factors are missing, and fills in the rest.
Status Finish(const JsonView& text, RopeParameters* rope) {
  const bool llama3 = rope->type == "llama3";
  struct {
    const char* name;
    double* value;
    bool needed;
    double otherwise;
  } const factors[] = {
      {"factor", &rope->factor, llama3 || rope->type == "linear", 1.0},
      {"low_freq_factor", &rope->low_freq_factor, llama3, 1.0},
      {"high_freq_factor", &rope->high_freq_factor, llama3, 4.0},
  };
  for (const auto& factor : factors) {
    if (*factor.value != 0) continue;
    if (factor.needed) {
      return NotFound(text.Describe("rope_parameters") + ": " + Quoted(factor.name) +
                      " is missing, which rope type " + Quoted(rope->type) + " needs");
    }
    *factor.value = factor.otherwise;
  }
  if (llama3 || rope->type == "yarn" || rope->type == "longrope") {
    // transformers: a value beside rope_parameters (Phi-3) wins over one inside, and
    // max_position_embeddings stands in.
    int64_t* original = &rope->original_max_position_embeddings;
    if (*original == 0) {
      ASSIGN_OR_RETURN(*original, text.GetIntOr("max_position_embeddings", 0, 1, kMaxPositions));
    }
    ASSIGN_OR_RETURN(
        *original, text.GetIntOr("original_max_position_embeddings", *original, 1, kMaxPositions));
  }
  return OkStatus();
}

// The first of the keys that is there.
Result<double> FirstTheta(const MetadataView& view, std::initializer_list<const char*> keys,
                          double otherwise) {
  for (const char* key : keys) {
    if (view.Has(key)) return view.GetDouble(key, kMinTheta, kMaxTheta);
  }
  return otherwise;
}

}  // namespace

Result<RopeParameters> ReadHfRope(const JsonView& text, RopeLayers layers, double default_theta) {
  RopeParameters rope;
  rope.factor = rope.low_freq_factor = rope.high_freq_factor = 0;
  ASSIGN_OR_RETURN(const JsonView parameters, text.Object("rope_parameters"));
  ASSIGN_OR_RETURN(rope.partial_rotary_factor,
                   text.GetDoubleOr("partial_rotary_factor", 1.0, 1e-3, 1.0));
  if (layers == RopeLayers::kSliding) {
    ASSIGN_OR_RETURN(rope.theta, FirstTheta(text, {"rope_local_base_freq"}, default_theta));
    ASSIGN_OR_RETURN(const JsonView sliding, parameters.Object(kSliding));
    RETURN_IF_ERROR(Override(sliding, &rope));
  } else {
    ASSIGN_OR_RETURN(rope.theta, FirstTheta(text, {"rope_theta"}, default_theta));
    const bool nested = parameters.json().contains(kFull) || parameters.json().contains(kSliding);
    if (!nested) {
      RETURN_IF_ERROR(Override(parameters, &rope));
    } else {
      ASSIGN_OR_RETURN(const JsonView full, parameters.Object(kFull));
      RETURN_IF_ERROR(Override(full, &rope));
    }
    ASSIGN_OR_RETURN(const JsonView scaling, text.Object("rope_scaling"));
    RETURN_IF_ERROR(Override(scaling, &rope));
  }
  RETURN_IF_ERROR(Finish(text, &rope));
  return rope;
}

Result<RopeParameters> ReadGgufRope(const MetadataView& metadata, RopeLayers layers,
                                    double default_theta) {
  RopeParameters rope;
  if (layers == RopeLayers::kSliding) {
    ASSIGN_OR_RETURN(
        rope.theta,
        FirstTheta(metadata, {"rope.freq_base_swa", "rope.local.freq_base"}, default_theta));
    return rope;
  }
  ASSIGN_OR_RETURN(
      rope.theta, FirstTheta(metadata, {"rope.freq_base", "rope.global.freq_base"}, default_theta));
  const bool old = metadata.Has("rope.scale_linear");
  ASSIGN_OR_RETURN(rope.type,
                   metadata.GetStringOr("rope.scaling.type", old ? "linear" : "default"));
  if (rope.type == "none") rope.type = "default";
  const char* factor = old ? "rope.scale_linear" : "rope.scaling.factor";
  if (rope.type == "linear" && !metadata.Has(factor)) {
    return NotFound(metadata.Describe(factor) + " is missing, which linear rope scaling needs");
  }
  ASSIGN_OR_RETURN(rope.factor, metadata.GetDoubleOr(factor, 1.0, 0.0, kMaxFactor));
  if (rope.factor == 0) rope.factor = 1.0;  // llama.cpp: 0 = not scaled
  ASSIGN_OR_RETURN(rope.original_max_position_embeddings,
                   metadata.GetIntOr("rope.scaling.original_context_length", 0, 0, kMaxPositions));
  return rope;
}

Result<std::vector<bool>> ReadSlidingLayers(const MetadataView& text, int64_t num_layers,
                                            int64_t default_pattern) {
  GALEN_CHECK(num_layers >= 0 && default_pattern >= 0);
  std::vector<bool> sliding(static_cast<size_t>(num_layers), false);
  const auto check_length = [&](std::string_view key, size_t length) -> Status {
    if (length == sliding.size()) return OkStatus();
    return DataLoss(text.Describe(key) + " lists " + std::to_string(length) +
                    " layers; the model has " + std::to_string(num_layers));
  };
  if (text.Has("layer_types")) {
    ASSIGN_OR_RETURN(const std::vector<std::string> types, text.GetStrings("layer_types"));
    RETURN_IF_ERROR(check_length("layer_types", types.size()));
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i] != kFull && types[i] != kSliding) {
        return Unsupported(text.Describe("layer_types") + ": layer " + std::to_string(i) + " is " +
                           Quoted(types[i]) + "; galen knows full_attention and sliding_attention");
      }
      sliding[i] = types[i] == kSliding;
    }
    return sliding;
  }
  int64_t pattern = default_pattern;
  for (const char* key :
       {"attention.sliding_window_pattern", "_sliding_window_pattern", "sliding_window_pattern"}) {
    if (!text.Has(key)) continue;
    if (!text.IsList(key)) {
      ASSIGN_OR_RETURN(pattern, text.GetInt(key, 1, kMaxPattern));
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<int64_t> flags, text.GetInts(key, 0, 1));
    RETURN_IF_ERROR(check_length(key, flags.size()));
    for (size_t i = 0; i < flags.size(); ++i) sliding[i] = flags[i] == 1;
    return sliding;
  }
  if (pattern == 0) return sliding;
  for (int64_t i = 0; i < num_layers; ++i) sliding[static_cast<size_t>(i)] = (i + 1) % pattern != 0;
  return sliding;
}

}  // namespace galen
