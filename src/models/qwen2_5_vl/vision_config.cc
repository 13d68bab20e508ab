#include <array>
#include <utility>

#include "models/qwen2_5_vl/vision.h"

namespace galen {
namespace {

constexpr int64_t kBicubic = 3;  // Pillow's number, in preprocessor_config.json
constexpr int64_t kMaxMergeSize = 16;
constexpr int64_t kMaxWindowSize = 1 << 16;
constexpr int64_t kMaxImagePixels = int64_t{1} << 31;
// transformers 5.23, Qwen2VLImageProcessorPil.size: 56 * 56 and 28 * 28 * 1280 pixels.
constexpr int64_t kMinPixels = 3136;
constexpr int64_t kMaxPixels = 1003520;
// OPENAI_CLIP_MEAN and _STD, transformers 5.23, image_utils.py.
constexpr std::array<float, 3> kMean = {0.48145466f, 0.4578275f, 0.40821073f};
constexpr std::array<float, 3> kStd = {0.26862954f, 0.26130258f, 0.27577711f};

// What no file says and no released model changes.
VisionConfig Common(const ModelConfig& text) {
  VisionConfig c;
  c.layer_norm_eps = 1e-6f;  // written into the reference's code; RMSNorm here
  c.image_mean = kMean;
  c.image_std = kStd;
  c.min_pixels = kMinPixels;
  c.max_pixels = kMaxPixels;
  c.temporal_patch_size = 2;
  c.projection_dim = text.hidden_size;
  return c;
}

Status CheckFits(const std::string& where, int64_t out_hidden_size, const ModelConfig& text) {
  if (text.mrope_section.empty()) {
    return InvalidArgument(
        where + " belongs to another model: " + (text.name.empty() ? "this one" : text.name) +
        " does not turn by rows and columns (mrope_section)");
  }
  if (out_hidden_size == text.hidden_size) return OkStatus();
  return InvalidArgument(where + " belongs to another model: its image tokens have " +
                         std::to_string(out_hidden_size) + " values, " +
                         (text.name.empty() ? "this model" : text.name) + " takes " +
                         std::to_string(text.hidden_size));
}

// The area that images are resized to. The reference lets min_pixels and max_pixels win over size.
Status ReadPixelLimits(const JsonView& view, VisionConfig* c) {
  const auto read = [c](const JsonView& from, const char* least, const char* most) -> Status {
    ASSIGN_OR_RETURN(c->min_pixels, from.GetIntOr(least, c->min_pixels, 1, kMaxImagePixels));
    ASSIGN_OR_RETURN(c->max_pixels, from.GetIntOr(most, c->max_pixels, 1, kMaxImagePixels));
    return OkStatus();
  };
  if (view.Has("size")) {
    ASSIGN_OR_RETURN(const JsonView size, view.Object("size"));
    RETURN_IF_ERROR(read(size, "min_pixels", "max_pixels"));
    RETURN_IF_ERROR(read(size, "shortest_edge", "longest_edge"));
  }
  return read(view, "min_pixels", "max_pixels");
}

Status ReadPreprocessor(const std::string& directory, VisionConfig* c) {
  std::string path;
  ASSIGN_OR_RETURN(const Json preprocessor, ReadPreprocessorFile(directory, &path));
  if (preprocessor.is_null()) return OkStatus();
  if (!preprocessor.is_object()) return DataLoss(path + ": image_processor is no object");
  const JsonView view(preprocessor, path);
  RETURN_IF_ERROR(ReadPreprocessorConfig(view, kBicubic, c));
  const std::pair<const char*, int64_t> sizes[] = {{"patch_size", c->patch_size},
                                                   {"merge_size", c->spatial_merge_size},
                                                   {"temporal_patch_size", c->temporal_patch_size}};
  for (const auto& [key, wanted] : sizes) {
    ASSIGN_OR_RETURN(const int64_t n, view.GetIntOr(key, wanted, 1, kMaxPatchSize));
    if (n == wanted) continue;
    return DataLoss(view.Describe(key) + " is " + std::to_string(n) + ", the tower's is " +
                    std::to_string(wanted));
  }
  RETURN_IF_ERROR(ReadPixelLimits(view, c));
  if (c->min_pixels <= c->max_pixels) return OkStatus();
  return DataLoss(path + ": images of at least " + std::to_string(c->min_pixels) +
                  " pixels and at most " + std::to_string(c->max_pixels));
}

}  // namespace

Result<VisionConfig> Qwen2_5VLVisionFromHf(const HfConfig& file, const std::string& directory,
                                           const ModelConfig& text) {
  if (!file.root().Has("vision_config")) {
    return NotFound(directory + "/config.json has no vision_config: this is a text model");
  }
  if (file.model_type() != "qwen2_5_vl") {
    return Unsupported(directory + "/config.json: images of model type '" +
                       file.model_type().substr(0, 40) + "' are not supported; qwen2_5_vl is");
  }
  ASSIGN_OR_RETURN(const JsonView view, file.root().Object("vision_config"));
  // Fallbacks: transformers 5.23, Qwen2_5_VLVisionConfig.
  VisionConfig c = Common(text);
  ASSIGN_OR_RETURN(c.num_hidden_layers, view.GetIntOr("depth", 32, 1, kMaxLayers));
  ASSIGN_OR_RETURN(c.hidden_size, view.GetIntOr("hidden_size", 3584, 1, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size,
                   view.GetIntOr("intermediate_size", 3420, 1, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_attention_heads, view.GetIntOr("num_heads", 16, 1, kMaxHeads));
  ASSIGN_OR_RETURN(c.num_channels, view.GetIntOr("in_channels", 3, 1, 16));
  ASSIGN_OR_RETURN(c.patch_size, view.GetIntOr("patch_size", 14, 1, kMaxPatchSize));
  ASSIGN_OR_RETURN(c.temporal_patch_size,
                   view.GetIntOr("temporal_patch_size", 2, 1, kMaxMergeSize));
  ASSIGN_OR_RETURN(c.spatial_merge_size, view.GetIntOr("spatial_merge_size", 2, 1, kMaxMergeSize));
  ASSIGN_OR_RETURN(c.window_size, view.GetIntOr("window_size", 112, 1, kMaxWindowSize));
  ASSIGN_OR_RETURN(const std::string activation, view.GetStringOr("hidden_act", "silu"));
  if (activation != "silu") {
    return Unsupported(view.Describe("hidden_act") + " is '" + activation.substr(0, 40) +
                       "', expected silu");
  }
  std::vector<int64_t> full = {7, 15, 23, 31};
  if (view.Has("fullatt_block_indexes")) {
    ASSIGN_OR_RETURN(full, view.GetInts("fullatt_block_indexes", 0, kMaxLayers));
  }
  c.layer_is_windowed.assign(static_cast<size_t>(c.num_hidden_layers), 1);
  for (const int64_t block : full) {
    if (block < c.num_hidden_layers) c.layer_is_windowed[block] = 0;
  }
  ASSIGN_OR_RETURN(const int64_t out, view.GetIntOr("out_hidden_size", 3584, 1, kMaxHiddenSize));
  RETURN_IF_ERROR(CheckFits(directory + "/config.json: vision_config", out, text));
  RETURN_IF_ERROR(ReadPreprocessor(directory, &c));
  return c;
}

Result<VisionConfig> Qwen2_5VLVisionFromGguf(const GgufFile& file, const ModelConfig& text) {
  ASSIGN_OR_RETURN(const std::string_view kind, file.GetString("general.architecture"));
  if (kind != "clip") return NotFound(file.name() + " has no image part");
  const GgufView clip(file, "clip.");
  const GgufView view(file, "clip.vision.");
  const GgufView& where = view.Has("projector_type") ? view : clip;
  ASSIGN_OR_RETURN(const std::string type, where.GetString("projector_type"));
  if (type != "qwen2.5vl_merger") {
    return InvalidArgument(file.name() + " belongs to another model: its projector is '" +
                           type.substr(0, 40) + "', this model's is 'qwen2.5vl_merger'");
  }
  VisionConfig c = Common(text);
  ASSIGN_OR_RETURN(c.num_hidden_layers, view.GetInt("block_count", 1, kMaxLayers));
  ASSIGN_OR_RETURN(c.hidden_size, view.GetInt("embedding_length", 1, kMaxHiddenSize));
  ASSIGN_OR_RETURN(c.intermediate_size,
                   view.GetInt("feed_forward_length", 1, kMaxIntermediateSize));
  ASSIGN_OR_RETURN(c.num_attention_heads, view.GetInt("attention.head_count", 1, kMaxHeads));
  ASSIGN_OR_RETURN(c.patch_size, view.GetInt("patch_size", 1, kMaxPatchSize));
  ASSIGN_OR_RETURN(c.spatial_merge_size, view.GetIntOr("spatial_merge_size", 2, 1, kMaxMergeSize));
  ASSIGN_OR_RETURN(c.window_size, view.GetIntOr("window_size", 112, 1, kMaxWindowSize));
  ASSIGN_OR_RETURN(const double eps, view.GetDoubleOr("attention.layer_norm_epsilon", 1e-6, 0, 1));
  c.layer_norm_eps = static_cast<float>(eps);
  ASSIGN_OR_RETURN(const int64_t out, view.GetInt("projection_dim", 1, kMaxHiddenSize));
  RETURN_IF_ERROR(CheckFits(file.name(), out, text));
  // llama.cpp: every n-th block sees the whole image.
  ASSIGN_OR_RETURN(const int64_t period, view.GetIntOr("n_wa_pattern", 8, 1, kMaxLayers));
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    c.layer_is_windowed.push_back((i + 1) % period != 0);
  }
  return c;
}

}  // namespace galen
