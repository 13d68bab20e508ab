// Gemma 3's image processor. Reference: transformers 5.23, Gemma3ImageProcessorPil and
// Gemma3Processor.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "media/image/geometry.h"
#include "media/image/resize.h"
#include "models/gemma3/pan_and_scan.h"
#include "models/gemma3/vision.h"
#include "models/vision/pixel_normaliser.h"

namespace galen {
namespace {

class Gemma3ImageProcessor final : public ImageProcessor {
 public:
  explicit Gemma3ImageProcessor(const VisionConfig& config);

  std::string_view placeholder() const override { return "<start_of_image>"; }
  std::string_view soft_token() const override { return "<image_soft_token>"; }
  bool bidirectional() const override { return true; }
  std::string_view version() const override { return version_; }
  Result<std::vector<PreparedImage>> Prepare(const Image& image,
                                             const ImageOptions& options) const override;
  std::vector<PromptPiece> Expand(int64_t num_views) const override;
  void FillPatches(const PreparedImage& image, float* patches) const override;

 private:
  // A strip of one line of print as it is.
  Result<std::vector<PreparedImage>> PrepareLine(const Image& image) const;
  // Side of the square, in pixels, that becomes `tokens` tokens.
  Result<int64_t> SideOf(int64_t tokens) const;

  const VisionConfig config_;
  const int64_t tokens_per_side_;
  const PixelNormaliser normaliser_;
  const std::string version_;
};

Gemma3ImageProcessor::Gemma3ImageProcessor(const VisionConfig& config)
    : config_(config),
      tokens_per_side_(std::lround(std::sqrt(static_cast<double>(config.tokens_per_image)))),
      normaliser_(config),
      version_((config.page_lines ? "gemma3 lines 1" : "gemma3 bilinear 1") +
               normaliser_.description()) {}

Result<std::vector<PreparedImage>> Gemma3ImageProcessor::PrepareLine(const Image& image) const {
  const PageLines& lines = *config_.page_lines;
  const int64_t square = config_.image_size / tokens_per_side_;  // pixels of one token's side
  if (image.height % lines.row_height != 0 || image.width % square != 0 ||
      image.height > lines.row_height * lines.max_rows || image.width > lines.row_width) {
    return InvalidArgument(
        "an image of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
        " pixels (width x height): this model reads lines of print, rows of " +
        std::to_string(lines.row_height) + " pixels, at most " + std::to_string(lines.max_rows) +
        " below each other and " + std::to_string(lines.row_width) +
        " wide; `galen extract` cuts pages into such lines");
  }
  PreparedImage view;
  view.pixels = image;
  view.grid = {image.height / config_.patch_size, image.width / config_.patch_size};
  view.tokens = image.height / square * (image.width / square);
  view.part = true;
  return std::vector<PreparedImage>{std::move(view)};
}

Result<int64_t> Gemma3ImageProcessor::SideOf(int64_t tokens) const {
  if (tokens == 0) return config_.image_size;
  const std::string asked = std::to_string(tokens) + " tokens for an image: ";
  if (tokens < 1 || tokens > config_.tokens_per_image) {
    return InvalidArgument(asked + "this model gives an image 1 to " +
                           std::to_string(config_.tokens_per_image));
  }
  const int64_t side = std::lround(std::sqrt(static_cast<double>(tokens)));
  if (side * side != tokens) {
    const int64_t below = side * side > tokens ? side - 1 : side;
    return InvalidArgument(asked +
                           "no square number, and the tokens of an image form a square grid; "
                           "the nearest are " +
                           std::to_string(below * below) + " and " +
                           std::to_string((below + 1) * (below + 1)));
  }
  return config_.image_size / tokens_per_side_ * side;
}

Result<std::vector<PreparedImage>> Gemma3ImageProcessor::Prepare(
    const Image& image, const ImageOptions& options) const {
  if (image.width < 1 || image.height < 1 || image.channels != 3) {
    return InvalidArgument("an image without pixels, or one that is not RGB");
  }
  if (options.min_pixels > 0 || options.max_pixels > 0) {
    return InvalidArgument(
        "this model resizes every image to one size; limits of pixels are for "
        "models of images of any shape, --image-tokens makes images smaller");
  }
  if (config_.page_lines) return PrepareLine(image);
  ASSIGN_OR_RETURN(const int64_t side, SideOf(options.tokens));
  const int64_t patches = side / config_.patch_size;
  const int64_t tokens = options.tokens == 0 ? config_.tokens_per_image : options.tokens;
  std::vector<PreparedImage> views;
  const auto add = [&](const Image& view) {
    views.push_back({Resize(view, side, side, Filter::kBilinear), {patches, patches}, tokens, {}});
  };
  add(image);
  if (options.pan_and_scan || config_.pan_and_scan) {
    for (const CropBox& box : PanAndScanBoxes(image.width, image.height)) {
      add(Crop(image, box.left, box.top, box.width, box.height));
    }
  }
  return views;
}

std::vector<PromptPiece> Gemma3ImageProcessor::Expand(int64_t num_views) const {
  std::vector<PromptPiece> pieces;
  const auto add_text = [&pieces](std::string_view text) {
    if (!pieces.empty() && pieces.back().view < 0)
      pieces.back().text += text;
    else
      pieces.push_back({std::string(text), -1});
  };
  const auto add_view = [&](int64_t view) {
    add_text("\n\n<start_of_image>");
    pieces.push_back({"", view});
    add_text("<end_of_image>\n\n");
  };
  if (num_views == 1) {
    add_view(0);
    return pieces;
  }
  add_text("Here is the original image ");
  add_view(0);
  add_text(" and here are some crops to help you see better ");
  for (int64_t view = 1; view < num_views; ++view) {
    if (view > 1) add_text(" ");
    add_view(view);
  }
  return pieces;
}

void Gemma3ImageProcessor::FillPatches(const PreparedImage& image, float* patches) const {
  const int64_t patch = config_.patch_size;
  for (int64_t y = 0; y < image.grid.height; ++y) {
    for (int64_t x = 0; x < image.grid.width; ++x) {
      normaliser_.FillPatch(image.pixels, y * patch, x * patch, patch, patches);
      patches += config_.patch_values();
    }
  }
}

}  // namespace

std::unique_ptr<ImageProcessor> MakeGemma3Processor(const VisionConfig& config) {
  return std::make_unique<Gemma3ImageProcessor>(config);
}

}  // namespace galen
