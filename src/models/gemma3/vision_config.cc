// The image part's hyper-parameters, from config.json, a projector file of llama.cpp, or Ollama's
// single file.
#include <cmath>
#include <utility>

#include "models/gemma3/pan_and_scan.h"
#include "models/gemma3/vision.h"

namespace galen {
namespace {

constexpr int64_t kBilinear = 2;  // Pillow's number, in preprocessor_config.json
constexpr int64_t kDefaultTokens = 256;

Status ReadTriple(const GgufView& view, const char* key, std::array<float, 3>* values) {
  if (!view.Has(key)) return OkStatus();
  ASSIGN_OR_RETURN(const std::vector<float> list,
                   view.file().GetFloats("clip.vision." + std::string(key)));
  if (list.size() != 3) return DataLoss(view.Describe(key) + ": expected three numbers");
  std::copy(list.begin(), list.end(), values->begin());
  return OkStatus();
}

// Sizes that llama.cpp and Ollama name alike.
Status ReadGgufSizes(const GgufView& view, VisionConfig* c) {
  ASSIGN_OR_RETURN(c->hidden_size, view.GetInt("embedding_length", 1, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c->intermediate_size,
                   view.GetInt("feed_forward_length", 1, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c->num_hidden_layers, view.GetInt("block_count", 1, kMaxLayers));
  ASSIGN_OR_RETURN(c->num_attention_heads, view.GetInt("attention.head_count", 1, kMaxHeads));
  ASSIGN_OR_RETURN(c->image_size, view.GetInt("image_size", 1, kMaxImageSize));
  ASSIGN_OR_RETURN(c->patch_size, view.GetInt("patch_size", 1, kMaxPatchSize));
  ASSIGN_OR_RETURN(const double eps, view.GetDoubleOr("attention.layer_norm_epsilon", 1e-6, 0, 1));
  c->layer_norm_eps = static_cast<float>(eps);
  return OkStatus();
}

// The reference takes null for the values of pan_and_scan.h.
Status ReadPanAndScan(const JsonView& view, VisionConfig* c) {
  ASSIGN_OR_RETURN(c->pan_and_scan, view.GetBoolOr("do_pan_and_scan", false));
  const std::pair<const char*, double> expected[] = {
      {"pan_and_scan_min_crop_size", static_cast<double>(kPanAndScanMinCrop)},
      {"pan_and_scan_max_num_crops", static_cast<double>(kPanAndScanMaxCrops)},
      {"pan_and_scan_min_ratio_to_activate", kPanAndScanMinRatio}};
  for (const auto& [key, wanted] : expected) {
    ASSIGN_OR_RETURN(const double value, view.GetDoubleOr(key, wanted, 0, 1e6));
    if (value != wanted) {
      return Unsupported(view.Describe(key) + " is " + std::to_string(value) + ", expected " +
                         std::to_string(wanted));
    }
  }
  return OkStatus();
}

// Tokens form a square grid, each out of a square of patches.
Result<VisionConfig> WithGrid(const VisionConfig& c, const std::string& source) {
  const int64_t side = std::lround(std::sqrt(static_cast<double>(c.tokens_per_image)));
  if (side > 0 && side * side == c.tokens_per_image && c.patches_per_side() % side == 0) return c;
  return DataLoss(source + ": " + std::to_string(c.tokens_per_image) +
                  " tokens for an image do not form a square grid over " +
                  std::to_string(c.patches_per_side()) + " patches a side");
}

Result<VisionConfig> FromProjectorFile(const GgufFile& file, const ModelConfig& text) {
  const GgufView clip(file, "clip.");
  ASSIGN_OR_RETURN(const bool has_vision, clip.GetBoolOr("has_vision_encoder", false));
  if (!has_vision) return NotFound(file.name() + ": the file holds no image encoder");
  const GgufView view(file, "clip.vision.");
  std::string type;
  if (clip.Has("projector_type")) {
    ASSIGN_OR_RETURN(type, clip.GetString("projector_type"));
  } else {
    ASSIGN_OR_RETURN(type, view.GetString("projector_type"));
  }
  if (type != "gemma3") {
    return InvalidArgument(file.name() + " belongs to another model: its projector is '" +
                           type.substr(0, 40) + "', this model's is 'gemma3'");
  }
  VisionConfig c;
  RETURN_IF_ERROR(ReadGgufSizes(view, &c));
  ASSIGN_OR_RETURN(c.projection_dim, view.GetInt("projection_dim", 1, kMaxHiddenSize));
  if (c.projection_dim != text.hidden_size) {
    return InvalidArgument(file.name() + " belongs to another model: its image tokens have " +
                           std::to_string(c.projection_dim) + " values (projection_dim), " +
                           (text.name.empty() ? "this model" : text.name) + " takes " +
                           std::to_string(text.hidden_size));
  }
  RETURN_IF_ERROR(ReadTriple(view, "image_mean", &c.image_mean));
  RETURN_IF_ERROR(ReadTriple(view, "image_std", &c.image_std));
  // Tokens along a side are patches along a side divided by this (llama.cpp writes it if it is not
  // 4).
  ASSIGN_OR_RETURN(const int64_t pool,
                   view.GetIntOr("projector.scale_factor", 4, 1, kMaxImageSize));
  const int64_t side = c.patches_per_side() / pool;
  c.tokens_per_image = side * side;
  return WithGrid(c, file.name());
}

}  // namespace

Result<VisionConfig> Gemma3VisionFromHf(const HfConfig& file, const std::string& directory,
                                        const ModelConfig& text) {
  if (!file.root().Has("vision_config")) {
    return NotFound(directory + "/config.json has no vision_config: this is a text model");
  }
  ASSIGN_OR_RETURN(const JsonView view, file.root().Object("vision_config"));
  // Defaults: transformers 5.23, SiglipVisionConfig and Gemma3Config.
  VisionConfig c;
  ASSIGN_OR_RETURN(c.hidden_size, view.GetIntOr("hidden_size", 768, 1, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size,
                   view.GetIntOr("intermediate_size", 3072, 1, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_hidden_layers, view.GetIntOr("num_hidden_layers", 12, 1, kMaxLayers));
  ASSIGN_OR_RETURN(c.num_attention_heads, view.GetIntOr("num_attention_heads", 12, 1, kMaxHeads));
  ASSIGN_OR_RETURN(c.num_channels, view.GetIntOr("num_channels", 3, 1, 16));
  ASSIGN_OR_RETURN(c.image_size, view.GetIntOr("image_size", 224, 1, kMaxImageSize));
  ASSIGN_OR_RETURN(c.patch_size, view.GetIntOr("patch_size", 16, 1, kMaxPatchSize));
  ASSIGN_OR_RETURN(const double eps, view.GetDoubleOr("layer_norm_eps", 1e-6, 0, 1));
  c.layer_norm_eps = static_cast<float>(eps);
  ASSIGN_OR_RETURN(const std::string activation,
                   view.GetStringOr("hidden_act", "gelu_pytorch_tanh"));
  if (activation != "gelu_pytorch_tanh") {
    return Unsupported(view.Describe("hidden_act") + " is '" + activation.substr(0, 40) +
                       "', expected gelu_pytorch_tanh");
  }
  ASSIGN_OR_RETURN(c.tokens_per_image,
                   file.root().GetIntOr("mm_tokens_per_image", kDefaultTokens, 1, 1 << 20));
  c.projection_dim = text.hidden_size;
  std::string path;
  ASSIGN_OR_RETURN(const Json preprocessor, ReadPreprocessorFile(directory, &path));
  if (!preprocessor.is_null()) {
    if (!preprocessor.is_object()) return DataLoss(path + ": image_processor is no object");
    const JsonView preprocessing(preprocessor, path);
    RETURN_IF_ERROR(ReadPreprocessorConfig(preprocessing, kBilinear, &c));
    RETURN_IF_ERROR(ReadPanAndScan(preprocessing, &c));
    RETURN_IF_ERROR(ReadPageLines(preprocessing, &c));
  }
  return WithGrid(c, directory + "/config.json");
}

Result<VisionConfig> Gemma3VisionFromGguf(const GgufFile& file, const ModelConfig& text) {
  ASSIGN_OR_RETURN(const std::string_view architecture, file.GetString("general.architecture"));
  if (architecture == "clip") return FromProjectorFile(file, text);
  const GgufView view(file, "gemma3.vision.");
  if (!view.Has("block_count")) return NotFound(file.name() + " has no image part");
  VisionConfig c;
  RETURN_IF_ERROR(ReadGgufSizes(view, &c));
  ASSIGN_OR_RETURN(c.num_channels, view.GetIntOr("num_channels", 3, 1, 16));
  const GgufView mm(file, "gemma3.mm.");
  ASSIGN_OR_RETURN(c.tokens_per_image, mm.GetIntOr("tokens_per_image", kDefaultTokens, 1, 1 << 20));
  c.projection_dim = text.hidden_size;
  return WithGrid(c, file.name());
}

}  // namespace galen
