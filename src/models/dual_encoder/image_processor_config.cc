#include <cmath>

#include "base/files.h"
#include "models/dual_encoder/image_preparer.h"

namespace galen {
namespace {

constexpr int64_t kMaxSide = 1 << 14;

// A number of pixels for both sides, or {"height", "width"}.
Status ReadSides(const JsonView& view, const char* key, int64_t* height, int64_t* width) {
  if (!view.Has(key)) return OkStatus();
  if (!view.json()[key].is_object()) {
    ASSIGN_OR_RETURN(*height, view.GetInt(key, 1, kMaxSide));
    *width = *height;
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const JsonView size, view.Object(key));
  ASSIGN_OR_RETURN(*height, size.GetInt("height", 1, kMaxSide));
  ASSIGN_OR_RETURN(*width, size.GetInt("width", 1, kMaxSide));
  return OkStatus();
}

// "size" may name the shorter side alone: an integer (CLIP's first files), or "shortest_edge".
Status ReadSize(const JsonView& view, ImageProcessorConfig* c) {
  if (!view.Has("size")) return OkStatus();
  const Json& size = view.json()["size"];
  c->shortest_edge = 0;
  if (size.is_object() && size.contains("shortest_edge") && !size["shortest_edge"].is_null()) {
    ASSIGN_OR_RETURN(const JsonView object, view.Object("size"));
    if (object.Has("longest_edge")) {
      return Unsupported(object.Describe("longest_edge") + ": images are cropped, not bounded");
    }
    ASSIGN_OR_RETURN(c->shortest_edge, object.GetInt("shortest_edge", 1, kMaxSide));
    return OkStatus();
  }
  RETURN_IF_ERROR(ReadSides(view, "size", &c->height, &c->width));
  ASSIGN_OR_RETURN(const bool square, view.GetBoolOr("default_to_square", false));
  if (!size.is_object() && !square) c->shortest_edge = c->height;
  return OkStatus();
}

Status ReadThree(const JsonView& view, const char* key, float least, std::array<float, 3>* values) {
  if (!view.Has(key)) return OkStatus();
  const Json& list = view.json()[key];
  if (!list.is_array() || list.size() != 3) {
    return DataLoss(view.Describe(key) + ": expected three numbers");
  }
  for (size_t i = 0; i < 3; ++i) {
    const float value = list[i].is_number() ? list[i].get<float>() : NAN;
    if (!(value >= least && value <= 1e3f)) {
      return DataLoss(view.Describe(key) + ": expected three numbers of " + std::to_string(least) +
                      "..1000");
    }
    (*values)[i] = value;
  }
  return OkStatus();
}

ImageProcessorConfig Defaults(DualEncoderFamily family) {
  ImageProcessorConfig c;
  c.height = c.width = 224;
  if (family == DualEncoderFamily::kSiglip) {
    c.mean = c.std = {0.5f, 0.5f, 0.5f};  // IMAGENET_STANDARD_MEAN
    return c;
  }
  c.shortest_edge = 224;
  c.center_crop = true;
  c.crop_height = c.crop_width = 224;
  c.mean = {0.48145466f, 0.4578275f, 0.40821073f};  // OPENAI_CLIP_MEAN
  c.std = {0.26862954f, 0.26130258f, 0.27577711f};  // OPENAI_CLIP_STD
  return c;
}

}  // namespace

Result<ImageProcessorConfig> ParseImageProcessor(std::string_view text, const std::string& path,
                                                 DualEncoderFamily family) {
  const Result<Json> json = ParseJson(text, 64);
  if (!json.ok()) return json.status().WithContext(path);
  if (!json->is_object()) return DataLoss(path + ": expected a JSON object");
  JsonView view(*json, path);
  if (view.Has("image_processor")) {
    ASSIGN_OR_RETURN(view, view.Object("image_processor"));
  }
  ImageProcessorConfig c = Defaults(family);
  ASSIGN_OR_RETURN(c.resize, view.GetBoolOr("do_resize", c.resize));
  RETURN_IF_ERROR(ReadSize(view, &c));
  ASSIGN_OR_RETURN(const int64_t resample,
                   view.GetIntOr("resample", static_cast<int64_t>(c.filter), 0, 5));
  c.filter = *FilterFromNumber(resample);
  ASSIGN_OR_RETURN(const std::string type, view.GetStringOr("image_processor_type", ""));
  c.torch = type.ends_with("Fast");
  if (c.torch && c.resize && c.filter != Filter::kBilinear && c.filter != Filter::kBicubic) {
    return Unsupported(view.Describe("resample") + " is " + std::to_string(resample) +
                       "; PyTorch's resize is bilinear (2) or bicubic (3)");
  }
  ASSIGN_OR_RETURN(c.center_crop, view.GetBoolOr("do_center_crop", c.center_crop));
  RETURN_IF_ERROR(ReadSides(view, "crop_size", &c.crop_height, &c.crop_width));
  ASSIGN_OR_RETURN(c.rescale, view.GetBoolOr("do_rescale", c.rescale));
  ASSIGN_OR_RETURN(c.rescale_factor, view.GetDoubleOr("rescale_factor", c.rescale_factor, 1e-6, 1));
  ASSIGN_OR_RETURN(c.normalize, view.GetBoolOr("do_normalize", c.normalize));
  RETURN_IF_ERROR(ReadThree(view, "image_mean", -1e3f, &c.mean));
  RETURN_IF_ERROR(ReadThree(view, "image_std", 1e-6f, &c.std));
  return c;
}

Result<ImageProcessorConfig> ReadImageProcessor(const std::string& directory,
                                                DualEncoderFamily family) {
  // transformers 5 writes the second, the older form the first.
  for (const char* name : {"/preprocessor_config.json", "/processor_config.json"}) {
    const std::string path = directory + name;
    if (!FileExists(path)) continue;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    return ParseImageProcessor(text, path, family);
  }
  return NotFound(directory +
                  ": neither preprocessor_config.json nor processor_config.json is there: without "
                  "it nobody knows how the model wants its images");
}

}  // namespace galen
