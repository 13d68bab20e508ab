#include "media/document/straighten.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "media/document/text_lines.h"

namespace galen {
namespace {

// A line may climb by this share of its height from edge to edge.
constexpr double kLeastShift = 0.3;

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
  ASSIGN_OR_RETURN(const std::vector<TextLine> lines, FindTextLines(page));
  StraightPage straight;
  straight.slope = SlopeOfPicture(lines, page);
  straight.image = straight.slope.level() ? std::move(page) : Warp(page, straight.slope);
  return straight;
}

}  // namespace galen
