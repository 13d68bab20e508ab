#include "models/dual_encoder/image_preparer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "media/image/geometry.h"
#include "media/image/torch_resize.h"
#include "nn/encoder.h"

namespace galen {
namespace {

std::string Size(int64_t width, int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

Image ToRgb(const Image& image) {
  Image rgb{image.width, image.height, 3, {}};
  rgb.pixels.reserve(image.pixels.size() * 3);
  for (const uint8_t grey : image.pixels) rgb.pixels.insert(rgb.pixels.end(), 3, grey);
  return rgb;
}

// Half of n, halves to the even neighbour, as Python's round() gives it in torchvision's
// CenterCrop.
int64_t HalfToEven(int64_t n) { return n / 2 + (n % 2 != 0 && n / 2 % 2 != 0 ? 1 : 0); }

Image Frame(const Image& image, Framing framing) {
  if (framing == Framing::kPadToSquare) return PadToSquare(image, {0, 0, 0});
  const int64_t side = std::min(image.width, image.height);
  return Crop(image, HalfToEven(image.width - side), HalfToEven(image.height - side), side, side);
}

}  // namespace

Result<ImagePreparer> ImagePreparer::Create(const ImageProcessorConfig& config,
                                            const VisionEncoderConfig& vision, Framing framing) {
  const int64_t side = vision.image_size;
  int64_t height = config.center_crop ? config.crop_height : config.height;
  int64_t width = config.center_crop ? config.crop_width : config.width;
  const bool fixed = config.center_crop || (config.resize && config.shortest_edge == 0);
  if (!fixed && framing != Framing::kPlain && config.resize) {
    height = width = config.shortest_edge;  // of a square image
  } else if (!fixed) {
    return Unsupported("the image processor gives images of any size, the tower takes " +
                       Size(side, side) + " only");
  }
  if (height != side || width != side) {
    return Unsupported("the image processor gives " + Size(width, height) +
                       " pixels, but the tower's image_size is " + std::to_string(side));
  }
  return ImagePreparer(config, vision, framing);
}

ImagePreparer::ImagePreparer(const ImageProcessorConfig& config, const VisionEncoderConfig& vision,
                             Framing framing)
    : config_(config),
      image_size_(vision.image_size),
      patch_size_(vision.patch_size),
      framing_(framing) {
  // torchvision's processors fold the factor into mean and std, Pillow's multiply by it first.
  const bool fold = config.torch && config.rescale && config.normalize;
  const auto inverse = static_cast<float>(1.0 / config.rescale_factor);
  for (size_t c = 0; c < 3; ++c) {
    const float mean = fold ? config.mean[c] * inverse : config.mean[c];
    const float std = fold ? config.std[c] * inverse : config.std[c];
    for (int byte = 0; byte < 256; ++byte) {
      float value = static_cast<float>(byte);
      if (config.rescale && !fold) value = static_cast<float>(byte * config.rescale_factor);
      if (config.normalize) value = (value - mean) / std;
      values_[c][static_cast<size_t>(byte)] = value;
    }
  }
}

Result<Image> ImagePreparer::Fit(const Image& image) const {
  if (image.width < 1 || image.height < 1) return InvalidArgument("the image is empty");
  Image x = image.channels == 3 ? image : ToRgb(image);
  if (framing_ != Framing::kPlain) x = Frame(x, framing_);
  if (config_.resize) {
    int64_t width = config_.width;
    int64_t height = config_.height;
    if (config_.shortest_edge > 0) {
      const int64_t shorter = std::min(x.width, x.height);
      const int64_t longer = std::max(x.width, x.height);
      // get_resize_output_image_size: int(size * long / short)
      const auto scaled = static_cast<int64_t>(static_cast<double>(config_.shortest_edge * longer) /
                                               static_cast<double>(shorter));
      width = x.width <= x.height ? config_.shortest_edge : scaled;
      height = x.width <= x.height ? scaled : config_.shortest_edge;
      // Far more than a crop can use, and memory that a strip of pixels should not take.
      constexpr int64_t kMaxPixels = int64_t{1} << 28;
      if (scaled > kMaxPixels / config_.shortest_edge) {
        return ResourceExhausted("an image of " + Size(x.width, x.height) +
                                 " would be resized to " + Size(width, height) + "; crop it first");
      }
    }
    x = config_.torch ? ResizeTorch(x, width, height, config_.filter)
                      : Resize(x, width, height, config_.filter);
  }
  if (config_.center_crop) x = CenterCrop(x, config_.crop_width, config_.crop_height);
  if (x.width != image_size_ || x.height != image_size_) {
    return InvalidArgument("an image of " + Size(x.width, x.height) +
                           " pixels, but the tower takes " + Size(image_size_, image_size_));
  }
  return x;
}

void ImagePreparer::FillPatches(const Image& fitted, float* rows) const {
  std::vector<float> pixels(fitted.pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = values_[i % 3][fitted.pixels[i]];
  UnfoldPatchesInterleaved(pixels.data(), 3, fitted.height, fitted.width, patch_size_, rows);
}

}  // namespace galen
