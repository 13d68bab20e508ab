#include "models/qwen2/config.h"

#include "models/decoder_config.h"

namespace galen {
namespace {

// transformers 5.23, Qwen2Config; the text part of Qwen2.5-VL gives all its fields.
constexpr HfDecoderDefaults kDefaults = {
    .vocab_size = 151936,
    .hidden_size = 4096,
    .intermediate_size = 22016,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .max_position_embeddings = 32768,
};

// Layers from max_window_layers on slide, if the file switches sliding on; few published files do.
Status ReadWindows(const JsonView& text, ModelConfig* c) {
  ASSIGN_OR_RETURN(const bool slides, text.GetBoolOr("use_sliding_window", false));
  if (!slides) return OkStatus();
  const int64_t absent = text.json().contains("sliding_window") ? 0 : 4096;
  ASSIGN_OR_RETURN(const int64_t window, text.GetIntOr("sliding_window", absent, 1, kMaxPositions));
  if (window == 0) return OkStatus();
  c->sliding_window = window;
  if (text.Has("layer_types")) {
    ASSIGN_OR_RETURN(c->layer_is_sliding, ReadLayerKinds(text, c->num_hidden_layers, 0));
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const int64_t first, text.GetIntOr("max_window_layers", 28, 0, kMaxLayers));
  for (int64_t i = first; i < c->num_hidden_layers; ++i) c->layer_is_sliding[i] = 1;
  return OkStatus();
}

// Frequencies of the first, second and third position; some files add a fourth of 0.
Status SetSections(std::vector<int64_t> sections, const std::string& where, ModelConfig* c) {
  while (sections.size() > 3 && sections.back() == 0) sections.pop_back();
  int64_t sum = 0;
  for (const int64_t n : sections) sum += n;
  if (sections.size() != 3 || sum != c->head_dim / 2) {
    return DataLoss(where + ": expected three numbers that sum to " +
                    std::to_string(c->head_dim / 2) + ", half of a head");
  }
  if (c->sliding_window > 0) return Unsupported(where + ": not together with sliding windows");
  c->mrope_section = std::move(sections);
  return OkStatus();
}

Status ReadHfSections(const JsonView& text, ModelConfig* c) {
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (!text.Has(key) || !text.json()[key].is_object()) continue;
    ASSIGN_OR_RETURN(const JsonView rope, text.Object(key));
    if (!rope.Has("mrope_section")) continue;
    ASSIGN_OR_RETURN(std::vector<int64_t> sections, rope.GetInts("mrope_section", 0, kMaxHeadDim));
    return SetSections(std::move(sections), rope.Describe("mrope_section"), c);
  }
  return OkStatus();
}

}  // namespace

Result<ModelConfig> Qwen2ConfigFromGguf(const GgufFile& file) {
  const GgufView general(file, "general.");
  ASSIGN_OR_RETURN(const std::string name, general.GetString("architecture"));
  const GgufView view(file, name + ".");  // "qwen2", "qwen2vl"
  ASSIGN_OR_RETURN(ModelConfig c, ReadGgufDecoder(file, view));
  c.architecture = "qwen2";
  c.attention_bias = true;
  if (view.Has("rope.dimension_sections")) {
    ASSIGN_OR_RETURN(std::vector<int64_t> sections,
                     view.GetInts("rope.dimension_sections", 0, kMaxHeadDim));
    RETURN_IF_ERROR(SetSections(std::move(sections), view.Describe("rope.dimension_sections"), &c));
  }
  return c;
}

Result<ModelConfig> Qwen2ConfigFromHf(const HfConfig& file) {
  const JsonView& text = file.text();
  ASSIGN_OR_RETURN(ModelConfig c, ReadHfDecoder(file, kDefaults));
  c.architecture = "qwen2";
  c.attention_bias = true;
  RETURN_IF_ERROR(ReadWindows(text, &c));
  // transformers 5.23: Qwen2_5_VLTextConfig.default_theta, Qwen2Config's.
  const double theta = file.model_type() == "qwen2_5_vl" ? 1000000.0 : 10000.0;
  ASSIGN_OR_RETURN(RopeParameters rope, ReadHfRope(text, RopeLayers::kGlobal, theta));
  // Qwen2.5-VL turns by three positions, which are equal for text.
  if (rope.type == "mrope") rope.type = "default";
  ASSIGN_OR_RETURN(c.rope,
                   ToRopeConfig(rope, c.max_position_embeddings, text.Describe("rope_parameters")));
  c.rope_local = c.rope;
  RETURN_IF_ERROR(ReadHfSections(text, &c));
  return c;
}

}  // namespace galen
