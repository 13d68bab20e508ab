#include "extract/source/page.h"

#include <algorithm>
#include <numeric>

#include "media/document/page_slope.h"

namespace galen::extract {
namespace {

double Middle(const PageWord& word) { return (word.box.y0 + word.box.y1) / 2; }
double Height(const PageWord& word) { return word.box.y1 - word.box.y0; }

}  // namespace

std::string_view WordSourceName(WordSource source) {
  return source == WordSource::kTextLayer   ? "text_layer"
         : source == WordSource::kTesseract ? "tesseract"
                                            : "none";
}

Box SourcePage::Shown(size_t first, size_t last) const {
  const auto at = [&](size_t i) { return shown.empty() ? words[i].box : shown[i]; };
  Box around = at(first);
  for (size_t i = first + 1; i <= last; ++i) {
    const Box box = at(i);
    around = {std::min(around.x0, box.x0), std::min(around.y0, box.y0), std::max(around.x1, box.x1),
              std::max(around.y1, box.y1)};
  }
  return around;
}

void SourcePage::MakeLevel() {
  slope = SlopeOf(words, width, height);
  if (slope.level()) return;
  shown.clear();
  for (PageWord& word : words) {
    shown.push_back(word.box);
    word.box = slope.Level(word.box);
  }
}

std::string PageText(const SourcePage& page) {
  // Rows of a table are rows here, though they are several blocks of the text layer.
  std::vector<size_t> order(page.words.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return Middle(page.words[a]) < Middle(page.words[b]);
  });
  std::string text;
  for (size_t begin = 0; begin < order.size();) {
    const PageWord& first = page.words[order[begin]];
    size_t end = begin + 1;
    while (end < order.size() &&
           Middle(page.words[order[end]]) - Middle(first) < 0.5 * std::max(Height(first), 1.0)) {
      ++end;
    }
    std::stable_sort(
        order.begin() + static_cast<ptrdiff_t>(begin), order.begin() + static_cast<ptrdiff_t>(end),
        [&](size_t a, size_t b) { return page.words[a].box.x0 < page.words[b].box.x0; });
    for (size_t i = begin; i < end; ++i) {
      const PageWord& word = page.words[order[i]];
      if (i > begin) {
        const double gap = word.box.x0 - page.words[order[i - 1]].box.x1;
        text += gap > 1.2 * Height(word) ? "  " : " ";
      }
      text += word.text;
    }
    text += '\n';
    begin = end;
  }
  return text;
}

}  // namespace galen::extract
