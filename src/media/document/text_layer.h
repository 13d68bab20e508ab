// The words that a PDF page carries as text, with their places.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

// Edges from the top left corner of what they lie on; x1 and y1 are exclusive.
struct Box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;

  Box Scaled(double factor) const { return {x0 * factor, y0 * factor, x1 * factor, y1 * factor}; }
  bool operator==(const Box&) const = default;
};

struct PageWord {
  std::string text;   // UTF-8, no control characters
  Box box;            // points (1/72 inch) of the page as it is shown: cropped and turned
  int32_t block = 0;  // numbers from 0 within the page, in reading order
  int32_t line = 0;
};

// Reads the words of one page from what `pdftotext -bbox-layout` writes. Words without characters
// are left out. Fails on output of another shape, on boxes that are no finite numbers, and on more
// than `max_words` words.
Result<std::vector<PageWord>> ParseTextLayer(std::string_view html, size_t max_words);

}  // namespace galen
