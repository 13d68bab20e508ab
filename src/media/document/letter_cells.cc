#include "media/document/letter_cells.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace galen {
namespace {

// Chosen by the number of cells beside the number of letters on made-up reports of six faces.
constexpr double kPaper = 0.06;               // ink paler than this is paper
constexpr double kBlankColumn = 0.1;          // a column without darker ink lies between letters
constexpr double kPieceInk = 0.24;            // a piece without darker ink is none
constexpr double kCut = 0.35, kStroke = 0.9;  // of a border through ink; of each stroke but one
constexpr double kUsualWidth = 7.0 / 16;      // of a row's height; wider pieces cost
constexpr double kWide = 0.4, kBlankInside = 3;

// What is known of a word's columns.
struct Columns {
  std::vector<double> ink;     // the darkest point, 0 to 1
  std::vector<double> border;  // [i]: cost of a border before column i
};

double Ink(const Image& letters, int64_t x, int64_t y) {
  return std::max(0.0, (255 - letters.row(y)[x]) / 255.0 - kPaper);
}

// The ink that runs from column x - 1 into x, and in how many strokes.
double BorderCost(const Image& letters, int64_t x) {
  double crossing = 0;
  int strokes = 0;
  bool in_stroke = false;
  for (int64_t y = 0; y < letters.height; ++y) {
    const double common = std::min(Ink(letters, x - 1, y), Ink(letters, x, y));
    crossing += common;
    const bool inked = common > kPaper;
    if (inked && !in_stroke) ++strokes;
    in_stroke = inked;
  }
  return crossing < kPaper ? 0 : kCut + crossing + kStroke * std::max(0, strokes - 1);
}

Columns Measure(const Image& letters) {
  Columns columns;
  for (int64_t x = 0; x < letters.width; ++x) {
    double ink = 0;
    for (int64_t y = 0; y < letters.height; ++y) ink = std::max(ink, Ink(letters, x, y));
    columns.ink.push_back(ink);
    columns.border.push_back(x == 0 ? 0 : BorderCost(letters, x));
  }
  columns.border.push_back(0);
  return columns;
}

// Without the blank columns at its ends.
ColumnSpan Trimmed(const Columns& columns, ColumnSpan span) {
  const auto blank = [&](int64_t x) { return columns.ink[static_cast<size_t>(x)] <= kBlankColumn; };
  while (span.begin < span.end && blank(span.begin)) ++span.begin;
  while (span.end > span.begin && blank(span.end - 1)) --span.end;
  return span;
}

double WidthCost(const Columns& columns, const ColumnSpan& trimmed, double usual) {
  const auto width = static_cast<double>(trimmed.end - trimmed.begin);
  double cost = width > usual ? kWide * std::pow(width - usual, 1.5) : 0;
  for (int64_t x = trimmed.begin; x < trimmed.end; ++x)
    if (columns.ink[static_cast<size_t>(x)] <= kBlankColumn) return cost + kBlankInside;
  return cost;
}

}  // namespace

std::vector<ColumnSpan> LetterCells(const Image& letters) {
  const Columns columns = Measure(letters);
  const int64_t width = letters.width, widest = std::max<int64_t>(1, letters.height);
  const double usual = kUsualWidth * static_cast<double>(widest);
  // cost[i]: of the best pieces of columns [0, i); the last of them begins at from[i].
  std::vector<double> cost(static_cast<size_t>(width) + 1, std::numeric_limits<double>::infinity());
  std::vector<int64_t> from(cost.size(), 0);
  cost[0] = 0;
  for (int64_t end = 1; end <= width; ++end) {
    const auto e = static_cast<size_t>(end);
    for (int64_t begin = std::max<int64_t>(0, end - widest); begin < end; ++begin) {
      const double sum = cost[static_cast<size_t>(begin)] + columns.border[e] +
                         WidthCost(columns, Trimmed(columns, {begin, end}), usual);
      if (sum < cost[e]) {
        cost[e] = sum;
        from[e] = begin;
      }
    }
  }
  std::vector<ColumnSpan> cells;
  for (int64_t end = width; end > 0; end = from[static_cast<size_t>(end)]) {
    const ColumnSpan cell = Trimmed(columns, {from[static_cast<size_t>(end)], end});
    double ink = 0;
    for (int64_t x = cell.begin; x < cell.end; ++x)
      ink = std::max(ink, columns.ink[static_cast<size_t>(x)]);
    if (ink > kPieceInk) cells.push_back(cell);
  }
  std::reverse(cells.begin(), cells.end());
  return cells;
}

}  // namespace galen
