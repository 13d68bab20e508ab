#include "models/gemma3/pan_and_scan.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

constexpr double kMinRatio = 1.2;
constexpr int64_t kMinCrop = 256;
constexpr int64_t kMaxCrops = 4;

}  // namespace

std::vector<PixelBox> PanAndScanBoxes(int64_t width, int64_t height) {
  const bool landscape = width >= height;
  const int64_t along = landscape ? width : height;
  const int64_t across = landscape ? height : width;
  const double ratio = static_cast<double>(along) / static_cast<double>(across);
  if (ratio < kMinRatio) return {};
  int64_t count = static_cast<int64_t>(std::floor(ratio + 0.5));
  count = std::min(along / kMinCrop, count);
  count = std::min(kMaxCrops, std::max<int64_t>(2, count));
  const int64_t size = (along + count - 1) / count;
  if (std::min(size, across) < kMinCrop) return {};
  std::vector<PixelBox> boxes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = i * size;
    const int64_t length = std::min(size, along - begin);  // the last one is cut at the border
    boxes.push_back(landscape ? PixelBox{begin, 0, length, height}
                              : PixelBox{0, begin, width, length});
  }
  return boxes;
}

Image Crop(const Image& image, const PixelBox& box) {
  Image crop;
  crop.width = box.width;
  crop.height = box.height;
  crop.channels = image.channels;
  crop.pixels.resize(static_cast<size_t>(box.width * box.height * image.channels));
  for (int64_t y = 0; y < box.height; ++y) {
    std::copy_n(image.row(box.top + y) + box.left * image.channels, box.width * image.channels,
                crop.row(y));
  }
  return crop;
}

}  // namespace galen
