#include "models/vision/vision_config.h"

#include <cmath>
#include <vector>

#include "base/files.h"
#include "models/model_config.h"

namespace galen {
namespace {

constexpr int kMaxDepth = 64;

Status CheckRange(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return OkStatus();
  return DataLoss(std::string("image tower: ") + field + " is " + std::to_string(value) +
                  ", expected " + std::to_string(low) + ".." + std::to_string(high));
}

// Towers for squares of one size.
Status ValidateSquare(const VisionConfig& c) {
  RETURN_IF_ERROR(CheckRange("image_size", c.image_size, c.patch_size, kMaxImageSize));
  const int64_t side = c.patches_per_side();
  RETURN_IF_ERROR(CheckRange("mm_tokens_per_image", c.tokens_per_image, 1, side * side));
  if (c.image_size % c.patch_size == 0) return OkStatus();
  return DataLoss("image tower: image_size " + std::to_string(c.image_size) +
                  " is no multiple of patch_size " + std::to_string(c.patch_size));
}

Status ValidateAnyShape(const VisionConfig& c) {
  RETURN_IF_ERROR(CheckRange("spatial_merge_size", c.spatial_merge_size, 1, 16));
  RETURN_IF_ERROR(CheckRange("temporal_patch_size", c.temporal_patch_size, 1, 16));
  RETURN_IF_ERROR(CheckRange("max_pixels", c.max_pixels, 1, kMaxImageSize * kMaxImageSize));
  RETURN_IF_ERROR(CheckRange("min_pixels", c.min_pixels, 1, c.max_pixels));
  RETURN_IF_ERROR(
      CheckRange("window_size", c.window_size, c.patch_size * c.spatial_merge_size, kMaxImageSize));
  if (c.head_dim() % 4 == 0) return OkStatus();
  return DataLoss("image tower: heads of " + std::to_string(c.head_dim()) +
                  " values; rows and columns turn a half each, in pairs: expected a multiple of 4");
}

Status Validate(const VisionConfig& c) {
  RETURN_IF_ERROR(CheckRange("hidden_size", c.hidden_size, 1, kMaxHiddenSize));
  RETURN_IF_ERROR(CheckRange("intermediate_size", c.intermediate_size, 1, kMaxIntermediateSize));
  RETURN_IF_ERROR(CheckRange("num_hidden_layers", c.num_hidden_layers, 1, kMaxLayers));
  RETURN_IF_ERROR(CheckRange("num_attention_heads", c.num_attention_heads, 1, kMaxHeads));
  RETURN_IF_ERROR(CheckRange("patch_size", c.patch_size, 1, kMaxPatchSize));
  RETURN_IF_ERROR(CheckRange("num_channels", c.num_channels, 3, 3));
  RETURN_IF_ERROR(CheckRange("projection_dim", c.projection_dim, 1, kMaxHiddenSize));
  if (c.hidden_size % c.num_attention_heads != 0 || c.head_dim() % 2 != 0) {
    return DataLoss("image tower: hidden_size " + std::to_string(c.hidden_size) +
                    " does not divide into " + std::to_string(c.num_attention_heads) +
                    " heads of an even size");
  }
  RETURN_IF_ERROR(c.any_shape() ? ValidateAnyShape(c) : ValidateSquare(c));
  if (!(c.layer_norm_eps >= 1e-12f && c.layer_norm_eps <= 1e-2f)) {
    return DataLoss("image tower: layer_norm_eps is " + std::to_string(c.layer_norm_eps) +
                    ", expected 1e-12..1e-2");
  }
  for (size_t i = 0; i < c.image_mean.size(); ++i) {
    if (!(std::fabs(c.image_mean[i]) <= 10 && c.image_std[i] >= 1e-3f && c.image_std[i] <= 1e3f)) {
      return DataLoss("image tower: image_mean or image_std is out of range");
    }
  }
  return OkStatus();
}

Status ReadThree(const JsonView& view, const char* key, std::array<float, 3>* values) {
  if (!view.Has(key)) return OkStatus();
  const Json& list = view.json()[key];
  if (!list.is_array() || list.size() != 3) {
    return DataLoss(view.Describe(key) + ": expected three numbers");
  }
  for (size_t i = 0; i < 3; ++i) {
    if (!list[i].is_number()) return DataLoss(view.Describe(key) + ": expected three numbers");
    (*values)[i] = list[i].get<float>();
  }
  return OkStatus();
}

}  // namespace

int64_t VisionConfig::num_parameters() const {
  if (any_shape()) {
    const int64_t layer = 4 * hidden_size * hidden_size + 3 * hidden_size * intermediate_size;
    const int64_t merged = hidden_size * spatial_merge_size * spatial_merge_size;
    return num_hidden_layers * layer + patch_values() * temporal_patch_size * hidden_size +
           merged * (merged + projection_dim);
  }
  const int64_t side = patches_per_side();
  const int64_t layer = 4 * hidden_size * hidden_size + 2 * hidden_size * intermediate_size;
  return num_hidden_layers * layer + (patch_values() + side * side + projection_dim) * hidden_size;
}

Status ValidateVisionConfig(const VisionConfig& config, const std::string& source) {
  return Validate(config).WithContext(source);
}

Status ReadPreprocessorConfig(const JsonView& view, int64_t filter, VisionConfig* config) {
  RETURN_IF_ERROR(ReadThree(view, "image_mean", &config->image_mean));
  RETURN_IF_ERROR(ReadThree(view, "image_std", &config->image_std));
  for (const char* step : {"do_resize", "do_rescale", "do_normalize"}) {
    ASSIGN_OR_RETURN(const bool done, view.GetBoolOr(step, true));
    if (!done) return Unsupported(view.Describe(step) + " is false; galen takes every step");
  }
  ASSIGN_OR_RETURN(const int64_t resample, view.GetIntOr("resample", filter, 0, 5));
  if (resample != filter) {
    return Unsupported(view.Describe("resample") + " is " + std::to_string(resample) +
                       ", this model's images are resized with filter " + std::to_string(filter));
  }
  ASSIGN_OR_RETURN(const double rescale, view.GetDoubleOr("rescale_factor", 1.0 / 255, 0, 1));
  if (std::fabs(rescale * 255 - 1) > 1e-6) {
    return Unsupported(view.Describe("rescale_factor") + " is " + std::to_string(rescale) +
                       ", expected 1/255");
  }
  if (view.Has("size") && view.json()["size"].is_object()) {
    ASSIGN_OR_RETURN(const JsonView size, view.Object("size"));
    for (const char* key : {"height", "width"}) {
      ASSIGN_OR_RETURN(const int64_t n, size.GetIntOr(key, config->image_size, 1, kMaxImageSize));
      if (n != config->image_size) {
        return Unsupported(size.Describe(key) + " is " + std::to_string(n) +
                           ", but the tower's image_size is " + std::to_string(config->image_size));
      }
    }
  }
  return OkStatus();
}

Status ReadPageLines(const JsonView& view, VisionConfig* config) {
  if (!view.Has("page_lines")) return OkStatus();
  ASSIGN_OR_RETURN(const JsonView lines, view.Object("page_lines"));
  PageLines c;
  const int64_t side = config->image_size;
  ASSIGN_OR_RETURN(c.row_height,
                   lines.GetIntOr("row_height", c.row_height, std::min<int64_t>(4, side), side));
  ASSIGN_OR_RETURN(c.row_width, lines.GetIntOr("row_width", c.row_width, c.row_height, side));
  if (c.row_width % c.row_height != 0) {
    return DataLoss(lines.Describe("row_width") + ": expected a multiple of row_height, which is " +
                    std::to_string(c.row_height));
  }
  ASSIGN_OR_RETURN(c.max_rows, lines.GetIntOr("max_rows", c.max_rows, 1, side / c.row_height));
  ASSIGN_OR_RETURN(c.long_side, lines.GetIntOr("long_side", c.long_side, side, kMaxImageSize));
  ASSIGN_OR_RETURN(c.kinds, lines.GetStrings("kinds"));
  if (c.kinds.empty()) {
    return DataLoss(lines.Describe("kinds") + ": expected the kinds of documents that it reads");
  }
  config->page_lines = std::move(c);
  return OkStatus();
}

Result<Json> ReadPreprocessorFile(const std::string& directory, std::string* path) {
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    *path = directory + "/" + name;
    if (directory.empty() || !FileExists(*path)) continue;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(*path));
    Result<Json> json = ParseJson(text, kMaxDepth);
    if (!json.ok()) return json.status().WithContext(*path);
    if (!json->is_object()) return DataLoss(*path + ": expected a JSON object");
    if (json->contains("image_processor")) return (*json)["image_processor"];
    if (std::string_view(name) == "preprocessor_config.json") return json;
  }
  return Json();
}

}  // namespace galen
