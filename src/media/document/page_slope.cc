#include "media/document/page_slope.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

constexpr double kSteepest = 0.2;     // 11 degrees; pages lie no steeper, pictures on them may
constexpr double kFarApart = 4;       // heights of a word, between words that tell a slope
constexpr size_t kLeastLines = 4;     // that agree
constexpr size_t kMostWords = 40;     // of a line
constexpr size_t kMostLines = 400;    // of a page, evenly
constexpr double kFarLines = 0.15;    // of the page's height, between lines that tell the bend
constexpr double kLeastHeight = 0.5;  // of a box, that is left when its slant is taken off

struct Weighted {
  double value = 0, weight = 0;
};

// 0 where there is nothing.
double Median(std::vector<Weighted> all) {
  std::sort(all.begin(), all.end(),
            [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  double total = 0, sum = 0;
  for (const Weighted& w : all) total += w.weight;
  for (const Weighted& w : all) {
    sum += w.weight;
    if (sum >= total / 2) return w.value;
  }
  return 0;
}

struct LineSlope {
  double y = 0;  // from the middle of the page
  double slope = 0;
  double length = 0;
};

double X(const PageWord& word) { return (word.box.x0 + word.box.x1) / 2; }
double Y(const PageWord& word) { return (word.box.y0 + word.box.y1) / 2; }

std::vector<LineSlope> LineSlopes(std::span<const PageWord> words, const PageSlope& middle) {
  std::vector<LineSlope> lines;
  for (size_t begin = 0; begin < words.size();) {
    size_t end = begin + 1;
    while (end < words.size() && words[end].line == words[begin].line) ++end;
    const auto line = words.subspan(begin, std::min(end - begin, kMostWords));
    begin = end;
    std::vector<Weighted> slopes;
    double longest = 0, y = 0;
    for (const PageWord& a : line) {
      // From the line's own place to where it crosses the middle, with the slope still unknown:
      // near enough, since slopes are small.
      y += (Y(a) - middle.middle_y) / static_cast<double>(line.size());
      for (const PageWord& b : line) {
        const double dx = X(b) - X(a);
        // Sizes come from the file: heights may be nothing or less, places may overflow.
        if (!(dx > 0) || dx < kFarApart * std::max(a.box.y1 - a.box.y0, b.box.y1 - b.box.y0))
          continue;
        const double slope = (Y(b) - Y(a)) / dx;
        if (!(std::abs(slope) <= kSteepest)) continue;
        slopes.push_back({slope, dx});
        longest = std::max(longest, dx);
      }
    }
    if (!slopes.empty() && std::isfinite(y) && std::isfinite(longest))
      lines.push_back({y, Median(std::move(slopes)), longest});
  }
  return lines;
}

double BendOf(const std::vector<LineSlope>& lines, double height) {
  std::vector<Weighted> bends;
  const size_t step = lines.size() / kMostLines + 1;
  for (size_t i = 0; i < lines.size(); i += step) {
    for (size_t j = i + step; j < lines.size(); j += step) {
      const LineSlope &a = lines[i], &b = lines[j];
      if (std::abs(b.y - a.y) < kFarLines * height) continue;
      const double weight = a.length * b.length * std::abs(b.y - a.y);
      if (!(weight > 0) || !std::isfinite(weight)) continue;
      bends.push_back({(b.slope - a.slope) / (b.y - a.y), weight});
    }
  }
  return Median(std::move(bends));
}

}  // namespace

Box PageSlope::Level(const Box& box) const {
  if (level()) return box;
  const double x = (box.x0 + box.x1) / 2 - middle_x, y = (box.y0 + box.y1) / 2 - middle_y;
  const double row = (y - slope * x) / (1 + bend * x);
  const double slant = std::abs(slope + bend * row) * (box.x1 - box.x0);
  const double tall = box.y1 - box.y0;
  const double half = std::max(tall - slant, kLeastHeight * tall) / 2;
  const double shift = slope * y;
  return {box.x0 + shift, middle_y + row - half, box.x1 + shift, middle_y + row + half};
}

void PageSlope::Askew(double* x, double* y) const {
  if (level()) return;
  const double row = *y - middle_y, moved = *x - middle_x;
  // Level moves by the slope times the height on the page, which follows from where that leads.
  double along = moved, high = row;
  for (int i = 0; i < 3; ++i) {
    high = row + (slope + bend * row) * along;
    along = moved - slope * high;
  }
  *x = middle_x + along;
  *y = middle_y + row + (slope + bend * row) * along;
}

PageSlope SlopeOf(std::span<const PageWord> words, double width, double height,
                  double least_shift) {
  PageSlope page{width / 2, height / 2, 0, 0};
  const std::vector<LineSlope> lines = LineSlopes(words, page);
  if (lines.size() < kLeastLines) return page;
  PageSlope found = page;
  found.bend = BendOf(lines, height);
  // Where lines would meet on the page, it is not the page's perspective.
  if (std::abs(found.bend) * std::max(width, height) > kSteepest) found.bend = 0;
  std::vector<Weighted> slopes, tall;
  for (const LineSlope& line : lines)
    slopes.push_back({line.slope - found.bend * line.y, line.length});
  found.slope = Median(std::move(slopes));
  for (const PageWord& word : words) tall.push_back({word.box.y1 - word.box.y0, 1});
  const double least = least_shift * Median(std::move(tall));
  const double steepest = std::abs(found.slope) + std::abs(found.bend) * height / 2;
  return steepest * width >= least && steepest <= kSteepest ? found : page;
}

}  // namespace galen
