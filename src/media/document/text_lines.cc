#include "media/document/text_lines.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>

#include "media/document/ink.h"
#include "media/document/letter_cells.h"
#include "media/image/resize.h"

namespace galen {
namespace {

constexpr int64_t kMaxSide = 32768;
constexpr size_t kMaxLetters = 50'000;  // more pieces of ink are a picture or noise
// Shares of the median height of letters.
constexpr double kSmallest = 0.5, kLargest = 4;  // what begins a line
constexpr double kWordGap = 0.45;                // wider gaps part words
constexpr int kLeastInk = 48;                    // ink paler than this stays as it is
constexpr double kColumnGap = 1.5;               // of a row's height: wider gaps part columns
constexpr double kReachOfMarks = 1.0;            // dots and accents belong to a line this near

PixelBox Union(const PixelBox& a, const PixelBox& b) {
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}

int64_t Overlap(int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
  return std::min(a1, b1) - std::max(a0, b0);
}

int64_t Median(std::vector<int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Letters that stand beside each other: pieces in the order of their left edges join the line that
// they share most rows with, of those whose last letters they overlap.
struct Growing {
  PixelBox box;
  int64_t top = 0, bottom = 0;  // of its tallest letters nearby
  std::vector<PixelBox> pieces;
};

std::vector<Growing> JoinLetters(std::vector<PixelBox> letters) {
  std::sort(letters.begin(), letters.end(), [](const PixelBox& a, const PixelBox& b) {
    return a.left != b.left ? a.left < b.left : a.top < b.top;
  });
  std::vector<Growing> lines;
  for (const PixelBox& letter : letters) {
    Growing* best = nullptr;
    constexpr double kLeastShare = 0.5;  // of the lower one of the two
    int64_t most = 0;
    for (Growing& line : lines) {
      const int64_t common = Overlap(letter.top, letter.bottom, line.top, line.bottom);
      const double share = static_cast<double>(common) /
                           static_cast<double>(std::min(letter.height(), line.bottom - line.top));
      // A comma that began a line of its own must not take the next letter.
      if (share > kLeastShare && common > most) {
        most = common;
        best = &line;
      }
    }
    if (best == nullptr) {
      lines.push_back({letter, letter.top, letter.bottom, {letter}});
      continue;
    }
    best->box = Union(best->box, letter);
    best->pieces.push_back(letter);
    // Follows a slope, and forgets a letter that stood out.
    constexpr size_t kNear = 8;
    const size_t first = best->pieces.size() > kNear ? best->pieces.size() - kNear : 0;
    std::vector<int64_t> tops, bottoms;
    for (size_t i = first; i < best->pieces.size(); ++i) {
      tops.push_back(best->pieces[i].top);
      bottoms.push_back(best->pieces[i].bottom);
    }
    best->top = Median(tops);
    best->bottom = Median(bottoms);
  }
  return lines;
}

// The line next to a piece, no further away than `reach` above or below it; null: none.
Growing* NearestLine(const PixelBox& piece, double reach, const Growing* other_than,
                     std::vector<Growing>* lines) {
  Growing* best = nullptr;
  double nearest = reach;
  for (Growing& line : *lines) {
    if (&line == other_than || line.pieces.empty()) continue;
    if (static_cast<double>(piece.right) < static_cast<double>(line.box.left) - 2 * reach ||
        static_cast<double>(piece.left) > static_cast<double>(line.box.right) + 2 * reach)
      continue;
    const auto away = static_cast<double>(
        std::max<int64_t>({0, line.box.top - piece.bottom, piece.top - line.box.bottom}));
    if (away < nearest) {
      nearest = away;
      best = &line;
    }
  }
  return best;
}

// Takes away rows of equal marks in equal distances: dotted and dashed rules. Dots of letters and
// points of numbers do not keep distances.
void RemoveDottedRules(double typical, std::vector<PixelBox>* marks) {
  constexpr size_t kLeast = 10;
  constexpr double kRegular = 0.6;
  std::sort(marks->begin(), marks->end(), [](const PixelBox& a, const PixelBox& b) {
    return a.top != b.top ? a.top < b.top : a.left < b.left;
  });
  std::vector<PixelBox> kept;
  for (size_t i = 0; i < marks->size();) {
    size_t end = i;
    while (end < marks->size() && (*marks)[end].top <= (*marks)[i].top + 1) ++end;
    std::sort(marks->begin() + static_cast<std::ptrdiff_t>(i),
              marks->begin() + static_cast<std::ptrdiff_t>(end),
              [](const PixelBox& a, const PixelBox& b) { return a.left < b.left; });
    std::vector<int64_t> steps;
    for (size_t j = i + 1; j < end; ++j) steps.push_back((*marks)[j].left - (*marks)[j - 1].left);
    bool rule = end - i >= kLeast;
    if (rule) {
      const int64_t step = Median(steps);
      const auto regular = std::count_if(steps.begin(), steps.end(),
                                         [step](int64_t s) { return std::abs(s - step) <= 1; });
      rule = static_cast<double>(regular) >= kRegular * static_cast<double>(steps.size()) &&
             static_cast<double>(step) < 2 * typical;
    }
    if (!rule)
      kept.insert(kept.end(), marks->begin() + static_cast<std::ptrdiff_t>(i),
                  marks->begin() + static_cast<std::ptrdiff_t>(end));
    i = end;
  }
  *marks = std::move(kept);
}

// Marks that are near no line are specks.
void AttachMarks(const std::vector<PixelBox>& marks, double reach, std::vector<Growing>* lines) {
  for (const PixelBox& mark : marks) {
    Growing* line = NearestLine(mark, reach, nullptr, lines);
    if (line != nullptr) line->pieces.push_back(mark);
  }
}

// Commas that reach below their line have become one of their own.
void AttachLowLines(double typical, std::vector<Growing>* lines) {
  constexpr double kLow = 0.85, kReach = 0.3;
  for (Growing& low : *lines) {
    if (static_cast<double>(low.box.height()) >= kLow * typical) continue;
    Growing* line = NearestLine(low.box, kReach * typical, &low, lines);
    if (line == nullptr || line->box.height() <= low.box.height()) continue;
    line->pieces.insert(line->pieces.end(), low.pieces.begin(), low.pieces.end());
    low.pieces.clear();
  }
}

std::vector<PixelBox> Words(std::vector<PixelBox> pieces, double gap) {
  std::sort(pieces.begin(), pieces.end(),
            [](const PixelBox& a, const PixelBox& b) { return a.left < b.left; });
  std::vector<PixelBox> words;
  for (const PixelBox& piece : pieces) {
    if (!words.empty() && static_cast<double>(piece.left - words.back().right) < gap)
      words.back() = Union(words.back(), piece);
    else
      words.push_back(piece);
  }
  return words;
}

// Pale, thin and coloured letters become like any others: their strongest ink is black.
void Blacken(Image* letters) {
  const int ink = *std::min_element(letters->pixels.begin(), letters->pixels.end());
  if (255 - ink < kLeastInk) return;
  for (uint8_t& v : letters->pixels) v = static_cast<uint8_t>((v - ink) * 255 / (255 - ink));
}

// A band of the page, grey, its paper white, and white where it leaves the page.
Image PaperWhite(const Image& page, int64_t left, int64_t width, int64_t top, int64_t height) {
  Image band{width, height, 1, {}};
  band.pixels.assign(static_cast<size_t>(width * height), 255);
  std::vector<int64_t> counts(256, 0);
  for (int64_t y = std::max<int64_t>(0, -top); y < height && top + y < page.height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const uint8_t* p = page.row(top + y) + (left + x) * page.channels;
      const int value =
          page.channels == 1 ? p[0] : (p[0] * 299 + p[1] * 587 + p[2] * 114 + 500) / 1000;
      band.row(y)[x] = static_cast<uint8_t>(value);
      ++counts[static_cast<size_t>(value)];
    }
  }
  // Most of a band is paper: its upper quartile.
  int64_t above = std::accumulate(counts.begin(), counts.end(), int64_t{0}) / 4, paper = 255;
  while (paper > 1 && above >= counts[static_cast<size_t>(paper)])
    above -= counts[static_cast<size_t>(paper--)];
  for (uint8_t& v : band.pixels) v = static_cast<uint8_t>(std::min<int64_t>(255, v * 255 / paper));
  return band;
}

}  // namespace

Result<std::vector<TextLine>> FindTextLines(const Image& page) {
  if (page.width < 1 || page.height < 1) return InvalidArgument("the page has no pixels");
  if (page.width > kMaxSide || page.height > kMaxSide)
    return InvalidArgument("the page has " + std::to_string(page.width) + " x " +
                           std::to_string(page.height) + " pixels; at most " +
                           std::to_string(kMaxSide) + " a side are read");
  InkMap map = FindInk(Brightness(page), page.width, page.height);
  RemoveRules(&map, std::max<int64_t>(24, std::min(page.width, page.height) / 16));
  const std::vector<PixelBox> pieces = InkPieces(map);
  std::vector<int64_t> heights;
  for (const PixelBox& p : pieces) {
    if (p.height() >= 4 && p.width() >= 2 && p.height() < page.height / 4)
      heights.push_back(p.height());
  }
  if (heights.empty()) return std::vector<TextLine>{};
  const auto typical = static_cast<double>(Median(heights));

  std::vector<PixelBox> letters, marks;
  for (const PixelBox& p : pieces) {
    const auto height = static_cast<double>(p.height());
    if (height > kLargest * typical) continue;
    // Dashes are wide and low: they join a line, and begin none.
    (height >= kSmallest * typical ? letters : marks).push_back(p);
  }
  if (letters.size() > kMaxLetters || marks.size() > kMaxLetters) return std::vector<TextLine>{};
  std::vector<Growing> lines = JoinLetters(std::move(letters));
  RemoveDottedRules(typical, &marks);
  AttachMarks(marks, kReachOfMarks * typical, &lines);
  AttachLowLines(typical, &lines);
  std::vector<TextLine> found;
  for (Growing& line : lines) {
    if (line.pieces.empty()) continue;
    TextLine text;
    text.words = Words(std::move(line.pieces), kWordGap * typical);
    text.box = text.words[0];
    for (const PixelBox& word : text.words) text.box = Union(text.box, word);
    if (text.box.width() < 2) continue;
    found.push_back(std::move(text));
  }
  std::sort(found.begin(), found.end(), [](const TextLine& a, const TextLine& b) {
    return a.box.top + a.box.bottom < b.box.top + b.box.bottom;
  });
  return found;
}

int64_t TypicalHeight(const std::vector<TextLine>& lines) {
  std::vector<int64_t> heights;
  for (const TextLine& line : lines) heights.push_back(line.box.height());
  return heights.empty() ? 0 : Median(std::move(heights));
}

Image LineStrip(const Image& page, const TextLine& line, const StripShape& shape,
                int64_t typical_height, bool* whole) {
  // The band that becomes a row: the line with a pixel of air, or the page's usual height around
  // it.
  const int64_t most = typical_height * 8 / 5;
  int64_t height = line.box.height() + 2;
  if (height < typical_height + 2 || line.box.height() > most)
    height = std::max(height, std::min(typical_height + 2, 2 * height));
  const int64_t top = (line.box.top + line.box.bottom - height) / 2;
  const double scale = static_cast<double>(shape.row_height) / static_cast<double>(height);
  const Image band = PaperWhite(page, line.box.left, line.box.width(), top, height);

  const int64_t side = shape.row_height, in_row = shape.row_width / side;
  const int64_t room = shape.max_rows * in_row;
  std::vector<Image> cells;  // narrower than a row's height; of no width: blank
  bool cut = false;
  // What has no room is not even looked at: a line of hostile pages may be as long as the page.
  for (size_t i = 0; i < line.words.size() && std::ssize(cells) <= room; ++i) {
    const PixelBox& word = line.words[i];
    if (i > 0) {
      const double gap = static_cast<double>(word.left - line.words[i - 1].right) * scale;
      cells.resize(cells.size() + (gap > kColumnGap * static_cast<double>(side) ? 2 : 1));
    }
    const auto left = static_cast<float>(word.left - line.box.left);
    auto right = static_cast<float>(word.right - line.box.left);
    auto width =
        std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(word.width()) * scale + 0.5));
    // No cell is wider than a row is high: this many columns fill all cells and one more.
    if (const int64_t most = (room + 1) * side; width > most) {
      right = left + (right - left) * static_cast<float>(most) / static_cast<float>(width);
      width = most;
      cut = true;
    }
    Image letters =
        Resize(band, width, side, Filter::kBilinear, {left, 0, right, static_cast<float>(height)});
    Blacken(&letters);
    for (const ColumnSpan& piece : LetterCells(letters)) {
      Image& cell = cells.emplace_back(Image{piece.end - piece.begin, side, 1, {}});
      for (int64_t y = 0; y < side; ++y) {
        cell.pixels.insert(cell.pixels.end(), letters.row(y) + piece.begin,
                           letters.row(y) + piece.end);
      }
    }
  }
  if (whole != nullptr) *whole = !cut && std::ssize(cells) <= room;
  cells.resize(std::clamp<size_t>(cells.size(), 1, static_cast<size_t>(room)));

  const auto count = static_cast<int64_t>(cells.size());
  Image strip{std::min(count, in_row) * side, (count + in_row - 1) / in_row * side, 1, {}};
  strip.pixels.assign(static_cast<size_t>(strip.width * strip.height), 255);
  for (int64_t i = 0; i < count; ++i) {
    const Image& cell = cells[static_cast<size_t>(i)];
    for (int64_t y = 0; y < side && cell.width > 0; ++y) {
      std::copy_n(cell.row(y), cell.width,
                  strip.row(i / in_row * side + y) + i % in_row * side + (side - cell.width) / 2);
    }
  }
  return strip;
}

}  // namespace galen
