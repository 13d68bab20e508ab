#include "recipes/square.h"

#include <algorithm>
#include <cstring>

namespace galen {

void PadToSquare(SeenImage* seen) {
  const Image& old = seen->image;
  const int64_t side = std::max(old.width, old.height);
  const int64_t left = (side - old.width) / 2, top = (side - old.height) / 2;
  if (old.width == side && old.height == side) return;
  Image image;
  image.width = image.height = side;
  image.channels = old.channels;
  image.pixels.resize(static_cast<size_t>(side * side * old.channels));
  for (int64_t y = 0; y < old.height; ++y) {
    std::memcpy(image.row(y + top) + left * old.channels, old.row(y),
                static_cast<size_t>(old.width * old.channels));
  }
  PixelMap& map = seen->to_source;
  map.offset_x -= static_cast<double>(left) * map.scale_x;
  map.offset_y -= static_cast<double>(top) * map.scale_y;
  seen->image = std::move(image);
}

}  // namespace galen
