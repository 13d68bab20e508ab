#include "extract/source/reread.h"

#include <algorithm>
#include <cmath>

#include "extract/source/tesseract.h"
#include "media/document/ink.h"
#include "media/image/resize.h"

namespace galen::extract {
namespace {

constexpr double kDpi = 300;      // of PDF pages: more than the first look has
constexpr double kMargin = 0.35;  // of a row's height, above and below
constexpr double kMostStretched = 4, kMostWidth = 5000;
constexpr int64_t kGap = 24;  // pixels between rows and around them
constexpr uint8_t kPaper = 255;
constexpr int kLines = 6;  // Tesseract's mode for lines below each other

// A row on the picture that Tesseract sees.
struct Strip {
  Box row;  // on the level page, in its units
  Box box;  // margins included
  Image image;
  double scale = 1;  // pixels of `image` for a unit
  int64_t top = 0;
};

uint8_t Sample(const Image& gray, double x, double y) {
  const double left = std::floor(x), above = std::floor(y);
  const auto at = [&](double column, double row) {
    const auto i = std::clamp<int64_t>(static_cast<int64_t>(column), 0, gray.width - 1);
    const auto k = std::clamp<int64_t>(static_cast<int64_t>(row), 0, gray.height - 1);
    return static_cast<double>(gray.row(k)[i]);
  };
  const double a = x - left, b = y - above;
  const double upper = at(left, above) * (1 - a) + at(left + 1, above) * a;
  const double lower = at(left, above + 1) * (1 - a) + at(left + 1, above + 1) * a;
  return static_cast<uint8_t>(std::lround(upper * (1 - b) + lower * b));
}

// The box as a level picture; empty where nothing of it lies on the page.
Strip Cut(const SourcePage& page, const Image& gray, double scale, const Box& row,
          double row_height) {
  Strip strip;
  strip.row = row;
  const double margin = kMargin * (row.y1 - row.y0);
  strip.box = {std::max(row.x0 - margin, 0.0), std::max(row.y0 - margin, 0.0),
               std::min(row.x1 + margin, page.width), std::min(row.y1 + margin, page.height)};
  const auto width = static_cast<int64_t>((strip.box.x1 - strip.box.x0) * scale);
  const auto height = static_cast<int64_t>((strip.box.y1 - strip.box.y0) * scale);
  if (width < 1 || height < 1 || width > gray.width || height > gray.height) return strip;
  Image cut{width, height, 1, std::vector<uint8_t>(static_cast<size_t>(width * height))};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      double px = strip.box.x0 + (static_cast<double>(x) + 0.5) / scale;
      double py = strip.box.y0 + (static_cast<double>(y) + 0.5) / scale;
      page.slope.Askew(&px, &py);
      cut.row(y)[x] = Sample(gray, px * scale - 0.5, py * scale - 0.5);
    }
  }
  const double wanted = row_height / std::max((row.y1 - row.y0) * scale, 1.0);
  const double factor = std::min({wanted, kMostStretched, kMostWidth / static_cast<double>(width)});
  strip.scale = scale * factor;
  const auto sized = [&](int64_t n) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(n) * factor));
  };
  strip.image = Resize(cut, sized(width), sized(height), Filter::kBicubic);
  return strip;
}

Image Stack(std::vector<Strip>* strips) {
  Image all{0, kGap, 1, {}};
  for (Strip& strip : *strips) {
    strip.top = all.height;
    all.height += strip.image.height + kGap;
    all.width = std::max(all.width, strip.image.width + 2 * kGap);
  }
  all.pixels.assign(static_cast<size_t>(all.width * all.height), kPaper);
  for (const Strip& strip : *strips) {
    for (int64_t y = 0; y < strip.image.height; ++y) {
      std::copy_n(strip.image.row(y), strip.image.width, all.row(strip.top + y) + kGap);
    }
  }
  return all;
}

double MiddleOf(double a, double b) { return (a + b) / 2; }
// What reaches into the margins from the rows above and below is no word of this one.
bool StandsIn(const Box& word, const Box& row) {
  const double middle = MiddleOf(word.y0, word.y1);
  return middle >= row.y0 && middle <= row.y1;
}

// The words that were read in the strip, where they stand on the level page.
std::vector<PageWord> WordsIn(const Strip& strip, std::span<const PageWord> read) {
  std::vector<PageWord> words;
  for (PageWord word : read) {
    const double middle = MiddleOf(word.box.y0, word.box.y1) - static_cast<double>(strip.top);
    if (middle < 0 || middle >= static_cast<double>(strip.image.height)) continue;
    const auto left = static_cast<double>(kGap), top = static_cast<double>(strip.top);
    word.box =
        Box{word.box.x0 - left, word.box.y0 - top, word.box.x1 - left, word.box.y1 - top}.Scaled(
            1 / strip.scale);
    word.box = {word.box.x0 + strip.box.x0, word.box.y0 + strip.box.y0, word.box.x1 + strip.box.x0,
                word.box.y1 + strip.box.y0};
    if (StandsIn(word.box, strip.row)) words.push_back(std::move(word));
  }
  return words;
}

// Puts words into the place of those in the row.
void Replace(const Box& row, std::vector<PageWord> words, SourcePage* page) {
  std::vector<PageWord> kept;
  std::vector<Box> shown;
  bool placed = false;
  int32_t last_line = 0;
  for (const PageWord& word : page->words) last_line = std::max(last_line, word.line);
  const auto place = [&](int32_t block) {
    placed = true;
    for (PageWord& word : words) {
      word.block = block;
      word.line = last_line + 1;
      if (!page->shown.empty()) {
        double x = MiddleOf(word.box.x0, word.box.x1), y = MiddleOf(word.box.y0, word.box.y1);
        const double dx = x, dy = y;
        page->slope.Askew(&x, &y);
        shown.push_back({word.box.x0 + x - dx, word.box.y0 + y - dy, word.box.x1 + x - dx,
                         word.box.y1 + y - dy});
      }
      kept.push_back(std::move(word));
    }
  };
  for (size_t i = 0; i < page->words.size(); ++i) {
    if (StandsIn(page->words[i].box, row)) {
      if (!placed) place(page->words[i].block);
      continue;
    }
    kept.push_back(std::move(page->words[i]));
    if (!page->shown.empty()) shown.push_back(page->shown[i]);
  }
  if (!placed) place(kept.empty() ? 0 : kept.back().block);
  page->words = std::move(kept);
  page->shown = std::move(shown);
}

}  // namespace

Result<SourcePage> RereadRows(const Case& source, size_t index, std::span<const Box> rows,
                              const RereadOptions& options) {
  SourcePage page = source.pages()[index];
  ASSIGN_OR_RETURN(const Case::Picture drawn, source.Draw(index, kDpi));
  const Image gray{drawn.image.width, drawn.image.height, 1, Brightness(drawn.image)};
  std::vector<Strip> strips;
  for (const Box& row : rows) {
    Strip strip = Cut(page, gray, drawn.scale, row, options.row_height);
    if (!strip.image.pixels.empty()) strips.push_back(std::move(strip));
  }
  if (strips.empty()) return page;
  TesseractOptions reading;
  reading.languages = page.ocr_language.empty() ? source.ocr_languages() : page.ocr_language;
  reading.page_mode = kLines;
  reading.resize = false;
  reading.cancelled = options.cancelled;
  ASSIGN_OR_RETURN(const std::vector<PageWord> read, ReadWithTesseract(Stack(&strips), reading));
  for (const Strip& strip : strips) {
    std::vector<PageWord> words = WordsIn(strip, read);
    if (!words.empty()) Replace(strip.row, std::move(words), &page);
  }
  return page;
}

}  // namespace galen::extract
