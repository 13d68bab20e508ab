// Where a slide has tissue, and which patches of it a model looks at.
#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "base/status.h"
#include "media/slide/slide.h"

namespace galen {

// Tissue is coloured, glass is grey: a pixel of the thumbnail is tissue if its saturation (HSV, 0
// to 255) is above Otsu's threshold (N. Otsu, 1979) of the thumbnail's saturations, held between
// these two. 8 is the threshold that CLAM uses by default (M. Lu et al., "Data-efficient and weakly
// supervised computational pathology on whole-slide images", 2021, create_patches.py, sthresh); the
// upper bound is ours: without it, a slide that is tissue from edge to edge would lose its pale
// half.
inline constexpr int kLeastSaturation = 8;
inline constexpr int kMostSaturation = 40;
// Share of a patch's area that must be tissue. Ours.
inline constexpr double kLeastTissue = 0.25;
// Longer side of the thumbnail, at least, where the level has as much.
inline constexpr int64_t kThumbnailSide = 1024;

// The level whose micrometres per pixel are nearest to `um_per_pixel` (by their ratio). The finest
// level if the slide does not say how large its pixels are.
int NearestLevel(const SlideInfo& info, double um_per_pixel);

struct Thumbnail {
  Image image;            // RGB
  double downsample = 1;  // pixels of level 0 per pixel
};

// The level that a thumbnail is made of: the coarsest whose longer side has kThumbnailSide, else
// the finest.
int ThumbnailLevel(const SlideInfo& info);

// The whole slide, averaged over squares of whole pixels of that level. Cancelled: asked to stop.
Result<Thumbnail> ReadThumbnail(const Slide& slide, const std::stop_token& stop = {});

struct TissueMask {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> tissue;  // [height, width], 0 or 1
  int threshold = 0;            // saturations above it are tissue
};
TissueMask FindTissue(const Image& thumbnail);

struct SlidePatch {
  int64_t x = 0;  // of its first pixel, in pixels of its level
  int64_t y = 0;
  double tissue = 0;  // share of its area
};

// Squares of `side` pixels of `level` that do not overlap, row by row from the top left, with at
// least kLeastTissue. Only whole squares; a level smaller than one square gives the one square that
// holds it.
std::vector<SlidePatch> FindPatches(const SlideLevel& level, const TissueMask& mask,
                                    double mask_downsample, int64_t side);

// At most `count` of the patches, chosen by chance from the seed (the same on every machine), in
// their order.
std::vector<SlidePatch> ChoosePatches(std::vector<SlidePatch> patches, int64_t count,
                                      uint64_t seed);

// Draws the outline of a rectangle, given in pixels, two pixels wide and red. What lies outside is
// left out.
void DrawOutline(Image* image, double x, double y, double width, double height);

}  // namespace galen
