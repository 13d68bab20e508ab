// Words of a page image by Tesseract, a reader that is independent of the model. Optional: it runs
// as a child under limits where it is installed (Debian: tesseract-ocr).
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "media/document/text_layer.h"
#include "media/image/image.h"

namespace galen::extract {

struct TesseractOptions {
  double seconds = 120;
  size_t memory_bytes = size_t{2} << 30;
  size_t words = 100000;
};

// Boxes in pixels. NotFound: Tesseract is not installed.
Result<std::vector<PageWord>> ReadWithTesseract(const Image& image,
                                                const TesseractOptions& options = {});

// What `tesseract - - tsv` writes. Fails on output of another shape and on more than max_words.
Result<std::vector<PageWord>> ParseTesseractTsv(std::string_view tsv, size_t max_words);

}  // namespace galen::extract
