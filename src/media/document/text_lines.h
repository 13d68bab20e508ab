// Lines of print on a picture of an upright page, found by their ink: no letter is recognised. For
// readers that take a page line by line.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"
#include "media/image/pixel_box.h"

namespace galen {

struct TextLine {
  PixelBox box;
  std::vector<PixelBox> words;  // from the left, not overlapping; as high as their ink
};

// From the top. Ruled lines, frames and specks are no text. Dark print on lighter paper; shades and
// colours of the paper may change across the page. Empty: nothing looks like text.
// InvalidArgument: a side of more than 32,768 pixels, or an image without pixels.
Result<std::vector<TextLine>> FindTextLines(const Image& page);

// A line as rows of one height, below each other like the lines of a paragraph: words keep their
// order, gaps wider than `row_height` shrink to it, paper becomes white (255), the darkest
// ink of each word black (0) where it differs from the paper at all.
struct StripShape {
  int64_t row_height = 16;
  int64_t row_width = 256;  // a multiple of row_height
  int64_t max_rows = 4;     // what does not fit into them is made narrower
};
// Grey, row_width at most wide, sides multiples of row_height; a line of one row is as narrow as
// its words allow. typical_height: of the page's lines, so that a line of small letters without
// descenders is not blown up; 0: its own.
Image LineStrip(const Image& page, const TextLine& line, const StripShape& shape,
                int64_t typical_height = 0);
// The median height of lines.
int64_t TypicalHeight(const std::vector<TextLine>& lines);

}  // namespace galen
