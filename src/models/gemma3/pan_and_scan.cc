#include "models/gemma3/pan_and_scan.h"

#include <algorithm>
#include <cmath>

namespace galen {

std::vector<CropBox> PanAndScanBoxes(int64_t width, int64_t height) {
  const bool landscape = width >= height;
  const int64_t along = landscape ? width : height;
  const int64_t across = landscape ? height : width;
  const double ratio = static_cast<double>(along) / static_cast<double>(across);
  if (ratio < kPanAndScanMinRatio) return {};
  int64_t count = static_cast<int64_t>(std::floor(ratio + 0.5));
  count = std::min(along / kPanAndScanMinCrop, count);
  count = std::min(kPanAndScanMaxCrops, std::max<int64_t>(2, count));
  const int64_t size = (along + count - 1) / count;
  if (std::min(size, across) < kPanAndScanMinCrop) return {};
  std::vector<CropBox> boxes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = i * size;
    const int64_t length = std::min(size, along - begin);  // the last one is cut at the border
    boxes.push_back(landscape ? CropBox{begin, 0, length, height}
                              : CropBox{0, begin, width, length});
  }
  return boxes;
}

}  // namespace galen
