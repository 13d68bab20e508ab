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

// A line as square cells in reading order, rows of them below each other: a cell shows what stands
// alone between columns without ink, most often one letter, at its height in the line and in the
// middle of the cell; wider pieces take several cells. Between words is a blank cell, between
// columns of a table are two. Paper becomes white (255), the darkest ink of each word black (0).
// Ink that is faint beside the word's darkest, and words that are faint altogether, are lost.
struct StripShape {
  int64_t row_height = 16;  // side of a cell
  int64_t row_width = 256;  // a multiple of row_height
  int64_t max_rows = 12;    // what does not fit into them is left out
};
// Grey; rows are full but a single one, which is as long as its cells.
// typical_height: of the page's lines, so that a line of small letters without descenders is not
// blown up; 0: its own. whole: receives whether everything had room.
Image LineStrip(const Image& page, const TextLine& line, const StripShape& shape,
                int64_t typical_height = 0, bool* whole = nullptr);
// The median height of lines.
int64_t TypicalHeight(const std::vector<TextLine>& lines);

}  // namespace galen
