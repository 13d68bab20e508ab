// Ink of a page: which pixels are darker than the paper around them, and the pieces that hang
// together.
#pragma once

#include <cstdint>
#include <vector>

#include "media/document/text_lines.h"
#include "media/image/image.h"

namespace galen {

struct InkMap {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> ink;  // [height, width], 0 or 1

  uint8_t* row(int64_t y) { return ink.data() + y * width; }
  const uint8_t* row(int64_t y) const { return ink.data() + y * width; }
};

// Brightness of each pixel, [height, width].
std::vector<uint8_t> Brightness(const Image& page);
// The paper's brightness around each pixel of `gray`: the mean of what is not ink itself.
InkMap FindInk(const std::vector<uint8_t>& gray, int64_t width, int64_t height);
// Takes away straight strokes of at least `longest` pixels along rows or columns that are thin
// across, and where they cross: rules and frames.
void RemoveRules(InkMap* map, int64_t longest);
// Boxes of the pieces of ink that touch, corners included. Empty, too, for what has millions of
// them.
std::vector<PixelBox> InkPieces(const InkMap& map);

}  // namespace galen
