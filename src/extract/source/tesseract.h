// Words of a page image by Tesseract, a reader that is independent of the model. Optional: it runs
// as a child under limits where it is installed (Debian: tesseract-ocr, version 4 or 5).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "media/document/text_layer.h"
#include "media/image/image.h"

namespace galen::extract {

struct TesseractOptions {
  std::string languages = "eng";  // as its -l takes them
  double seconds = 120;           // a page
  size_t memory_bytes = size_t{2} << 30;
  size_t words = 100000;
  // Its --psm. 11, sparse text: words wherever they stand. 6: lines below each other.
  int page_mode = 11;
  bool resize = true;               // false: the picture has the size that it is to be read at
  std::function<bool()> cancelled;  // may be empty
};

// The languages that galen's kinds speak and Tesseract has data for: "eng+fra+deu". NotFound:
// Tesseract is not installed. Unsupported: its version is too old, or it has no such data; the
// message says what to install. Otherwise it does not work.
Result<std::string> TesseractLanguages();

// Boxes in pixels of `image`. Small pictures are enlarged for it, huge ones reduced. NotFound:
// Tesseract is not installed.
Result<std::vector<PageWord>> ReadWithTesseract(const Image& image,
                                                const TesseractOptions& options = {});

// What `tesseract - - tsv` writes. Fails on output of another shape and on more than max_words.
Result<std::vector<PageWord>> ParseTesseractTsv(std::string_view tsv, size_t max_words);

}  // namespace galen::extract
