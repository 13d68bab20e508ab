#include "media/image/geometry.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace galen {
namespace {

int64_t FloorHalf(int64_t value) { return value >> 1; }  // towards minus infinity

// A width x height image of one colour with `image` at (left, top), cut where it does not fit.
Image Place(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height,
            Rgb color) {
  GALEN_CHECK(width > 0 && height > 0);
  Image out;
  out.width = width;
  out.height = height;
  out.channels = image.channels;
  out.pixels.resize(width * height * image.channels);
  if (color != Rgb{0, 0, 0}) {
    for (int64_t i = 0; i < width * height; ++i) {
      std::memcpy(out.pixels.data() + i * out.channels, color.data(), out.channels);
    }
  }
  const int64_t from = std::max<int64_t>(left, 0), to = std::min(left + image.width, width);
  const int64_t last = std::min(top + image.height, height);
  for (int64_t y = std::max<int64_t>(top, 0); y < last && from < to; ++y) {
    std::memcpy(out.row(y) + from * out.channels, image.row(y - top) + (from - left) * out.channels,
                (to - from) * out.channels);
  }
  return out;
}

}  // namespace

Image Crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height) {
  return Place(image, -left, -top, width, height, {0, 0, 0});
}

Image CenterCrop(const Image& image, int64_t width, int64_t height) {
  return Crop(image, FloorHalf(image.width - width), FloorHalf(image.height - height), width,
              height);
}

Image PadToSquare(const Image& image, Rgb color) {
  const int64_t side = std::max(image.width, image.height);
  return Place(image, (side - image.width) / 2, (side - image.height) / 2, side, side, color);
}

}  // namespace galen
