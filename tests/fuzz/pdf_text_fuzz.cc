// The two texts around a PDF: the pages that a person asks for, and what poppler writes about a
// page's words.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "media/document/page_range.h"
#include "media/document/pnm.h"
#include "media/document/text_layer.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto pages = ParsePageRange(text, 1000, 64); pages.ok()) {
    const std::set<int64_t> once(pages->begin(), pages->end());
    GALEN_CHECK(!pages->empty() && pages->size() <= 64 && once.size() == pages->size());
    GALEN_CHECK(*once.begin() >= 1 && *once.rbegin() <= 1000);
  }
  if (const auto words = ParseTextLayer(text, 1000); words.ok()) {
    for (const PageWord& word : *words) {
      GALEN_CHECK(!word.text.empty() && std::isfinite(word.box.x0 + word.box.y0));
      GALEN_CHECK(word.block >= 0 && word.line >= 0);
    }
  }
  if (const auto image = ReadPnm(text, 4096); image.ok()) {
    GALEN_CHECK(image->pixels.size() ==
                static_cast<size_t>(image->width * image->height * image->channels));
  }
  return 0;
}
