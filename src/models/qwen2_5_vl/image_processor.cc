// Qwen2.5-VL's image processor: every size of image, resized to whole cells. Reference:
// transformers 5.23, Qwen2VLImageProcessorPil and Qwen2_5_VLProcessor.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "media/image/resize.h"
#include "models/qwen2_5_vl/image_grid.h"
#include "models/qwen2_5_vl/vision.h"
#include "models/vision/pixel_normaliser.h"

namespace galen {
namespace {

class Qwen2_5VLImageProcessor final : public ImageProcessor {
 public:
  explicit Qwen2_5VLImageProcessor(const VisionConfig& config)
      : config_(config),
        normaliser_(config),
        version_("qwen2_5_vl bicubic 1" + normaliser_.description()) {}

  // The template writes <|vision_start|> and <|vision_end|> around it.
  std::string_view placeholder() const override { return "<|image_pad|>"; }
  std::string_view marked_placeholder() const override {
    return "<|vision_start|><|image_pad|><|vision_end|>";
  }
  std::string_view soft_token() const override { return "<|image_pad|>"; }
  bool bidirectional() const override { return false; }
  std::string_view version() const override { return version_; }
  Result<std::vector<PreparedImage>> Prepare(const Image& image,
                                             const ImageOptions& options) const override;
  std::vector<PromptPiece> Expand(int64_t) const override { return {{"", 0}}; }
  void FillPatches(const PreparedImage& image, float* patches) const override;

 private:
  const VisionConfig config_;
  const PixelNormaliser normaliser_;
  const std::string version_;
};

Result<std::vector<PreparedImage>> Qwen2_5VLImageProcessor::Prepare(
    const Image& image, const ImageOptions& options) const {
  if (image.width < 1 || image.height < 1 || image.channels != 3) {
    return InvalidArgument("an image without pixels, or one that is not RGB");
  }
  if (options.pan_and_scan) {
    return InvalidArgument(
        "this model takes images of any shape whole; pan-and-scan is for models "
        "of square images");
  }
  const int64_t merge = config_.spatial_merge_size;
  const int64_t cell = config_.patch_size * merge;
  if (options.tokens < 0 || options.min_pixels < 0 || options.max_pixels < 0) {
    return InvalidArgument("tokens and pixels of an image must not be negative");
  }
  int64_t max_pixels = options.max_pixels > 0 ? options.max_pixels : config_.max_pixels;
  int64_t min_pixels = options.min_pixels > 0 ? options.min_pixels : config_.min_pixels;
  if (options.tokens > 0) max_pixels = std::min(max_pixels, options.tokens * cell * cell);
  if (options.min_pixels > max_pixels) {
    return InvalidArgument("images of at least " + std::to_string(min_pixels) +
                           " pixels and at most " + std::to_string(max_pixels) +
                           ": lower the one or raise the other");
  }
  min_pixels = std::min(min_pixels, max_pixels);
  ASSIGN_OR_RETURN(const SmartSize size,
                   SmartResize(image.height, image.width, cell, min_pixels, max_pixels));
  PreparedImage view;
  view.pixels = Resize(image, size.width, size.height, Filter::kBicubic);
  view.grid = {size.height / config_.patch_size, size.width / config_.patch_size};
  view.tokens = view.grid.patches() / (merge * merge);
  view.token_grid = {view.grid.height / merge, view.grid.width / merge};
  std::vector<PreparedImage> views;
  views.push_back(std::move(view));
  return views;
}

void Qwen2_5VLImageProcessor::FillPatches(const PreparedImage& image, float* patches) const {
  const PatchPlaces places = PlacePatches({&image.grid, 1}, config_.spatial_merge_size);
  for (size_t i = 0; i < places.rows.size(); ++i) {
    normaliser_.FillPatch(image.pixels, places.rows[i] * config_.patch_size,
                          places.columns[i] * config_.patch_size, config_.patch_size, patches);
    patches += config_.patch_values();
  }
}

}  // namespace

std::unique_ptr<ImageProcessor> MakeQwen2_5VLProcessor(const VisionConfig& config) {
  return std::make_unique<Qwen2_5VLImageProcessor>(config);
}

}  // namespace galen
