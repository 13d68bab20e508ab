#include "media/document/straighten.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

#include "media/document/ink.h"
#include "media/document/text_lines.h"

namespace galen {
namespace {

// A line may climb by this share of its height from edge to edge.
constexpr double kLeastShift = 0.3;

// Slopes that pages lie on scanners with; where all letters are put into rows by each, the right
// one fills few rows and leaves others empty.
constexpr double kMostSteep = 0.16, kSlopeStep = 0.004;  // 9 degrees
constexpr double kLeastSteep = 0.016;                   // below it, lines are followed as they are
constexpr size_t kLeastLetters = 60, kMostLetters = 20'000;

// The slope at which the middles of letters crowd into rows; 0: level, or nothing that tells.
double CoarseSlope(const Image& page) {
  const std::vector<PixelBox> pieces =
      InkPieces(FindInk(Brightness(page), page.width, page.height));
  std::vector<int64_t> heights;
  for (const PixelBox& p : pieces) {
    if (p.height() >= 4 && p.width() >= 2 && p.height() < page.height / 4)
      heights.push_back(p.height());
  }
  if (heights.size() < kLeastLetters || heights.size() > kMostLetters) return 0;
  std::nth_element(heights.begin(), heights.begin() + std::ssize(heights) / 2, heights.end());
  const auto typical = static_cast<double>(heights[heights.size() / 2]);
  std::vector<std::pair<double, double>> letters;
  for (const PixelBox& p : pieces) {
    const auto height = static_cast<double>(p.height());
    if (height < 0.5 * typical || height > 2 * typical) continue;
    letters.emplace_back(static_cast<double>(p.left + p.right) / 2,
                         static_cast<double>(p.top + p.bottom) / 2);
  }
  const double row = std::max(typical / 3, 1.0);
  const auto margin = static_cast<double>(page.width) * kMostSteep;
  const auto rows = static_cast<size_t>((static_cast<double>(page.height) + 2 * margin) / row) + 2;
  std::vector<int64_t> counts(rows);
  const auto crowding = [&](double slope) {
    std::fill(counts.begin(), counts.end(), 0);
    for (const auto& [x, y] : letters) {
      const double level = y - slope * (x - static_cast<double>(page.width) / 2) + margin;
      ++counts[std::min(rows - 1, static_cast<size_t>(std::max(level, 0.0) / row))];
    }
    int64_t sum = 0;
    for (const int64_t n : counts) sum += n * n;
    return sum;
  };
  double best = 0;
  int64_t most = crowding(0);
  for (double slope = kSlopeStep; slope <= kMostSteep; slope += kSlopeStep) {
    for (const double s : {slope, -slope}) {
      const int64_t found = crowding(s);
      if (found <= most) continue;
      most = found;
      best = s;
    }
  }
  return std::abs(best) >= kLeastSteep ? best : 0;
}

PageSlope SlopeOfPicture(const std::vector<TextLine>& lines, const Image& page) {
  std::vector<PageWord> words;
  for (size_t i = 0; i < lines.size(); ++i) {
    for (const PixelBox& word : lines[i].words) {
      PageWord& added = words.emplace_back();
      added.box = {static_cast<double>(word.left), static_cast<double>(word.top),
                   static_cast<double>(word.right), static_cast<double>(word.bottom)};
      added.line = static_cast<int32_t>(i);
    }
  }
  return SlopeOf(words, static_cast<double>(page.width), static_cast<double>(page.height),
                 kLeastShift);
}

Image Warp(const Image& page, const PageSlope& slope) {
  Image level{page.width, page.height, page.channels, {}};
  level.pixels.resize(page.pixels.size());
  const int64_t channels = page.channels;
  const auto last_x = static_cast<double>(page.width - 1);
  const auto last_y = static_cast<double>(page.height - 1);
  for (int64_t y = 0; y < page.height; ++y) {
    uint8_t* out = level.row(y);
    for (int64_t x = 0; x < page.width; ++x, out += channels) {
      double px = static_cast<double>(x) + 0.5, py = static_cast<double>(y) + 0.5;
      slope.Askew(&px, &py);
      px = std::clamp(px - 0.5, 0.0, last_x);
      py = std::clamp(py - 0.5, 0.0, last_y);
      const auto left = static_cast<int64_t>(px), above = static_cast<int64_t>(py);
      const double a = px - static_cast<double>(left), b = py - static_cast<double>(above);
      const int64_t right = left + 1 < page.width ? channels : 0;
      const uint8_t* upper = page.row(above) + left * channels;
      const uint8_t* lower = page.row(std::min(above + 1, page.height - 1)) + left * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const double first = upper[c] * (1 - a) + upper[c + right] * a;
        const double second = lower[c] * (1 - a) + lower[c + right] * a;
        out[c] = static_cast<uint8_t>(std::lround(first * (1 - b) + second * b));
      }
    }
  }
  return level;
}

}  // namespace

Box StraightPage::Askew(const Box& box) const {
  if (slope.level()) return box;
  Box around = {1e30, 1e30, -1e30, -1e30};
  for (const auto& [x0, y0] : {std::pair(box.x0, box.y0), std::pair(box.x1, box.y0),
                               std::pair(box.x0, box.y1), std::pair(box.x1, box.y1)}) {
    double x = x0, y = y0;
    slope.Askew(&x, &y);
    around = {std::min(around.x0, x), std::min(around.y0, y), std::max(around.x1, x),
              std::max(around.y1, y)};
  }
  around.x0 = std::clamp(around.x0, 0.0, static_cast<double>(image.width));
  around.x1 = std::clamp(around.x1, 0.0, static_cast<double>(image.width));
  around.y0 = std::clamp(around.y0, 0.0, static_cast<double>(image.height));
  around.y1 = std::clamp(around.y1, 0.0, static_cast<double>(image.height));
  return around;
}

Result<StraightPage> Straighten(Image page) {
  ASSIGN_OR_RETURN(std::vector<TextLine> lines, FindTextLines(page));
  StraightPage straight;
  // Lines that climb steeply are not followed from letter to letter: they are made nearly level
  // first, which tells what is left.
  const double coarse = CoarseSlope(page);
  if (coarse != 0) {
    const PageSlope steep{static_cast<double>(page.width) / 2, static_cast<double>(page.height) / 2,
                          coarse, 0};
    const Image nearly = Warp(page, steep);
    ASSIGN_OR_RETURN(lines, FindTextLines(nearly));
    straight.slope = SlopeOfPicture(lines, nearly);
    if (straight.slope.level())
      straight.slope = steep;
    else
      straight.slope.slope += coarse;
  } else {
    straight.slope = SlopeOfPicture(lines, page);
  }
  straight.image = straight.slope.level() ? std::move(page) : Warp(page, straight.slope);
  return straight;
}

}  // namespace galen
