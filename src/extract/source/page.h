// The pages of a case as the checks see them: words with boxes, from the PDF's text layer or from
// an independent reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/document/page_slope.h"
#include "media/document/text_layer.h"

namespace galen::extract {

enum class WordSource : uint8_t { kNone, kTextLayer, kTesseract };
std::string_view WordSourceName(WordSource source);  // "none", "text_layer", "tesseract"

struct SourcePage {
  std::string file;
  int64_t number = 1;  // within the file
  double width = 0;    // of the units that boxes have: points for PDF, pixels for pictures
  double height = 0;
  WordSource word_source = WordSource::kNone;
  std::string ocr_language;  // what Tesseract read it as ("eng"); empty: it did not
  std::string no_words;  // why there are none, if there are none and that is not the page's doing
  // Reading order. Their boxes are those of the page made level (media/document/page_slope.h),
  // which rows and columns are told by; where the page lies askew, `shown` has them as they stand
  // on it.
  std::vector<PageWord> words;
  std::vector<Box> shown;  // of each word; empty: the words' own
  PageSlope slope;         // between the two

  // Around words [first, last], as they stand on the page.
  Box Shown(size_t first, size_t last) const;
  // Puts the words of a page that lies askew where a level page would have them.
  void MakeLevel();
};

// A part of a page of a case, in the page's units.
struct PagePart {
  size_t page = 0;
  Box box;
};

// The words of a page as lines, for a model that reads text: words of one line with a space
// between, wide gaps (columns) as two.
std::string PageText(const SourcePage& page);

}  // namespace galen::extract
