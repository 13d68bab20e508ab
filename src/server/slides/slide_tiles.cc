#include "server/slides/slide_tiles.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "media/image/resize.h"

namespace galen::server {
namespace {

constexpr int kMostZoom = 24;  // kMostSide is 2^24
// Levels are rarely exact powers of two smaller: sizes are rounded.
constexpr double kNearly = 1.02;

double ShrinkOf(int zoom) { return static_cast<double>(int64_t{1} << zoom); }

// The coarsest level that is not coarser than the zoom; -1: all are too fine for it.
int SourceLevel(const SlideInfo& info, int zoom) {
  int best = -1;
  for (size_t i = 0; i < info.levels.size(); ++i) {
    const double ratio = ShrinkOf(zoom) / info.levels[i].downsample;
    if (ratio * kNearly < 1 || ratio > kMostShrink * kNearly) continue;
    if (best < 0 || info.levels[i].downsample > info.levels[static_cast<size_t>(best)].downsample)
      best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

ZoomSize SizeAt(const SlideInfo& info, int zoom) {
  const int64_t by = int64_t{1} << zoom;
  return {(info.levels[0].width + by - 1) / by, (info.levels[0].height + by - 1) / by};
}

std::vector<int> ZoomsOf(const SlideInfo& info) {
  std::vector<int> zooms;
  for (int zoom = 0; zoom <= kMostZoom; ++zoom) {
    if (SourceLevel(info, zoom) >= 0) zooms.push_back(zoom);
    const ZoomSize size = SizeAt(info, zoom);
    if (std::max(size.width, size.height) <= kTileSide) break;
  }
  return zooms;
}

Result<Image> ReadTile(const Slide& slide, int zoom, int64_t column, int64_t row) {
  const SlideInfo& info = slide.info();
  const std::vector<int> zooms = ZoomsOf(info);
  if (std::find(zooms.begin(), zooms.end(), zoom) == zooms.end())
    return NotFound("this slide has no zoom " + std::to_string(zoom));
  const int source = SourceLevel(info, zoom);
  const ZoomSize whole = SizeAt(info, zoom);
  if (column < 0 || row < 0 || column > (whole.width - 1) / kTileSide ||
      row > (whole.height - 1) / kTileSide) {
    return NotFound("there is no such tile");
  }
  const int64_t width = std::min(kTileSide, whole.width - column * kTileSide);
  const int64_t height = std::min(kTileSide, whole.height - row * kTileSide);
  const double ratio = ShrinkOf(zoom) / info.levels[static_cast<size_t>(source)].downsample;
  const double left = static_cast<double>(column * kTileSide) * ratio;
  const double top = static_cast<double>(row * kTileSide) * ratio;
  const double wide = static_cast<double>(width) * ratio;
  const double high = static_cast<double>(height) * ratio;
  const auto x = static_cast<int64_t>(std::floor(left)), y = static_cast<int64_t>(std::floor(top));
  const auto right = static_cast<int64_t>(std::ceil(left + wide));
  const auto bottom = static_cast<int64_t>(std::ceil(top + high));
  ASSIGN_OR_RETURN(Image image, slide.Read(source, x, y, right - x, bottom - y));
  if (image.width == width && image.height == height) return image;
  const float dx = static_cast<float>(left - static_cast<double>(x));
  const float dy = static_cast<float>(top - static_cast<double>(y));
  const ResizeBox box = {dx, dy,
                         std::min(dx + static_cast<float>(wide), static_cast<float>(image.width)),
                         std::min(dy + static_cast<float>(high), static_cast<float>(image.height))};
  return Resize(image, width, height, Filter::kBox, box);
}

}  // namespace galen::server
