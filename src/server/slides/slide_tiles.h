// A slide as square tiles at halving sizes, for whoever looks at it: what a file has between its
// own levels is averaged from the next finer one.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"
#include "media/slide/slide.h"

namespace galen::server {

inline constexpr int64_t kTileSide = 256;
// Pixels of a level that become one of a tile, along a side: a tile reads at most 2,090 x 2,090
// (levels are rounded: 256 x 8.16, and what is begun at both ends).
inline constexpr double kMostShrink = 8;

// The zooms that can be given, from the finest (0) to the first whose longer side fits into a tile.
// A pixel of zoom z is 2^z pixels of level 0. Those too far from the next finer level are left out.
std::vector<int> ZoomsOf(const SlideInfo& info);

// Size of the slide at a zoom.
struct ZoomSize {
  int64_t width = 0, height = 0;
};
ZoomSize SizeAt(const SlideInfo& info, int zoom);

// Tile (column, row) of a zoom: kTileSide x kTileSide, less at the right and lower edge. NotFound:
// there is none.
Result<Image> ReadTile(const Slide& slide, int zoom, int64_t column, int64_t row);

}  // namespace galen::server
