// A second look at rows of a page: cut out, each as large as it reads best, below each other on a
// page without anything else. Tesseract then reads some of what it misread among the rest: single
// digits in narrow columns, small units.
#pragma once

#include <functional>
#include <span>

#include "extract/source/case.h"

namespace galen::extract {

struct RereadOptions {
  double row_height = 48;           // pixels, of each row; enlarged by four at most
  std::function<bool()> cancelled;  // may be empty
};

// The page with the words that are read in `rows` (its units, as on the level page) instead of
// those that stand in them; a row in which nothing is read keeps its own. The page's words must be
// Tesseract's. Fails as drawing the page and ReadWithTesseract do.
Result<SourcePage> RereadRows(const Case& source, size_t page, std::span<const Box> rows,
                              const RereadOptions& options);

}  // namespace galen::extract
