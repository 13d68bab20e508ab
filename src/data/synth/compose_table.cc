// Tables: columns as wide as their texts ask for, or smaller letters, or broken lines.
#include <algorithm>
#include <numeric>
#include <utility>

#include "data/synth/composer.h"

namespace galen {
namespace {

constexpr double kGap = 8;          // points between columns
constexpr double kSmallest = 0.72;  // letters are made no smaller for the sake of a table
constexpr SynthColor kShade = {0.92, 0.93, 0.95};
constexpr SynthColor kTableGrey = {0.45, 0.45, 0.45};

bool HasHead(const Block& block) {
  return std::any_of(block.columns.begin(), block.columns.end(),
                     [](const TableColumn& column) { return !column.title.empty(); });
}

}  // namespace

std::vector<std::vector<Shaped>> Composer::ShapeCells(const Block& block) {
  std::vector<std::vector<Shaped>> cells;
  for (const TableRow& row : block.rows) {
    std::vector<Shaped>& shaped = cells.emplace_back();
    const TextLook look = {false, 1, row.heading || (row.strong && style_.strong_rows), {}};
    for (const SpanText& cell : row.cells) shaped.push_back(Shape(cell, look));
  }
  return cells;
}

std::vector<double> Composer::NaturalWidths(const Block& block,
                                            const std::vector<std::vector<Shaped>>& cells) {
  std::vector<double> widths(block.columns.size(), 4);
  for (size_t c = 0; c < block.columns.size(); ++c) {
    if (block.columns[c].title.empty()) continue;
    widths[c] = Shape(block.columns[c].title, {false, 1, true, {}}).width;
  }
  for (size_t r = 0; r < block.rows.size(); ++r) {
    if (block.rows[r].heading) continue;
    for (size_t c = 0; c < cells[r].size() && c < widths.size(); ++c)
      widths[c] = std::max(widths[c], cells[r][c].width);
  }
  return widths;
}

double Composer::NaturalTableWidth(const Block& block) {
  const std::vector<double> widths = NaturalWidths(block, ShapeCells(block));
  return std::accumulate(widths.begin(), widths.end(), 0.0) +
         kGap * static_cast<double>(widths.size());
}

Composer::Columns Composer::FitColumns(const Block& block, std::vector<double> widths,
                                       double available) {
  Columns columns;
  const auto count = static_cast<double>(block.columns.size());
  double total = std::accumulate(widths.begin(), widths.end(), 0.0);
  const double room = available - kGap * count;
  if (total > room) {
    columns.scale = std::max(kSmallest, room / total * 0.99);
    for (double& w : widths) w *= columns.scale;  // glyphs scale without hinting
    total *= columns.scale;
  }
  if (total <= room) {
    double weights = 0;
    for (const TableColumn& column : block.columns) weights += column.weight;
    // Tables that need half of the width or less look lost when they are stretched.
    const double spare = total < room * 0.45 ? (room - total) * 0.6 : room - total;
    for (size_t c = 0; c < widths.size(); ++c)
      widths[c] += spare * block.columns[c].weight / weights;
  } else {
    // Narrow columns keep their width, the others share the rest.
    double fixed = 0, wide = 0;
    const double limit = room / count;
    for (const double w : widths) (w <= limit ? fixed : wide) += w;
    for (double& w : widths) {
      if (w > limit) w *= (room - fixed) / wide;
    }
  }
  double x = left() + kGap / 2;
  for (const double w : widths) {
    columns.x.push_back(x);
    columns.width.push_back(w + 0.5);
    x += w + kGap;
  }
  return columns;
}

void Composer::RowFrame(const Columns& columns, double top, double bottom) {
  const double x0 = columns.x.front() - kGap / 2;
  const double x1 = columns.x.back() + columns.width.back() + kGap / 2;
  std::vector<LineItem>& lines = page().lines;
  if (style_.table == TableStyle::kGrid) {
    lines.push_back({x0, top, x1, top, 0.5, kTableGrey, false});
    lines.push_back({x0, bottom, x1, bottom, 0.5, kTableGrey, false});
    for (const double x : columns.x)
      lines.push_back({x - kGap / 2, top, x - kGap / 2, bottom, 0.5, kTableGrey, false});
    lines.push_back({x1, top, x1, bottom, 0.5, kTableGrey, false});
  }
  if (style_.table == TableStyle::kDotted)
    lines.push_back({x0, bottom, x1, bottom, 0.5, kTableGrey, true});
}

void Composer::TableHead(const Block& block, const Columns& columns) {
  const TextLook look = {false, columns.scale, true, {}};
  std::vector<Shaped> cells;
  double height = 0;
  for (size_t c = 0; c < block.columns.size(); ++c) {
    cells.push_back(Shape(block.columns[c].title, look, columns.width[c]));
    height = std::max(height, cells.back().height);
  }
  const double top = y_, bottom = y_ + height + 2 * style_.row_pad;
  const double x0 = columns.x.front() - kGap / 2;
  const double x1 = columns.x.back() + columns.width.back() + kGap / 2;
  if (style_.filled_table_head)
    page().rects.push_back({x0, top, x1 - x0, bottom - top, {0.84, 0.87, 0.91}, 0});
  for (size_t c = 0; c < cells.size(); ++c) {
    const double free = columns.width[c] - cells[c].width;
    const Align align = block.columns[c].align;
    const double shift = align == Align::kRight ? free : align == Align::kCenter ? free / 2 : 0;
    Place(std::move(cells[c]), columns.x[c] + shift, top + style_.row_pad);
  }
  RowFrame(columns, top, bottom);
  if (style_.table == TableStyle::kRuled || style_.table == TableStyle::kPlain ||
      style_.table == TableStyle::kDotted) {
    page().lines.push_back({x0, bottom, x1, bottom, 0.9, style_.accent, false});
  }
  if (style_.table == TableStyle::kRuled)
    page().lines.push_back({x0, top, x1, top, 0.9, style_.accent, false});
  y_ = bottom;
}

void Composer::TableRowOut(const Block& block, const Columns& columns, const TableRow& row,
                           std::vector<Shaped> cells, size_t number) {
  const double whole = columns.x.back() + columns.width.back() - columns.x.front();
  double height = 0;
  for (size_t c = 0; c < cells.size(); ++c) {
    const double room = row.heading ? whole : columns.width[c];
    if (columns.scale != 1 || cells[c].width > room) {  // smaller letters or broken lines
      const TextLook look = {
          false, columns.scale, row.heading || (row.strong && style_.strong_rows), {}};
      cells[c] = Shape(row.cells[c], look, room);
    }
    height = std::max(height, cells[c].height);
  }
  height += 2 * style_.row_pad;
  if (Ensure(height + (row.heading ? 2 * height : 0)) && HasHead(block)) TableHead(block, columns);
  const double top = y_;
  if (row.heading) {
    Place(std::move(cells[0]), columns.x.front(), top + style_.row_pad, style_.accent);
    y_ += height;
    return;
  }
  if (style_.table == TableStyle::kZebra && number % 2 == 1) {
    page().rects.push_back({columns.x.front() - kGap / 2, top, whole + kGap, height, kShade, 0});
  }
  for (size_t c = 0; c < cells.size(); ++c) {
    const double free = columns.width[c] - cells[c].width;
    const Align align = block.columns[c].align;
    const double shift = align == Align::kRight ? free : align == Align::kCenter ? free / 2 : 0;
    Place(std::move(cells[c]), columns.x[c] + shift, top + style_.row_pad);
  }
  RowFrame(columns, top, top + height);
  y_ += height;
}

void Composer::Table(const Block& block) {
  std::vector<std::vector<Shaped>> cells = ShapeCells(block);
  const Columns columns = FitColumns(block, NaturalWidths(block, cells), width());
  if (HasHead(block)) {
    Ensure(4 * style_.size);
    TableHead(block, columns);
  }
  size_t number = 0;
  for (size_t r = 0; r < block.rows.size(); ++r) {
    TableRowOut(block, columns, block.rows[r], std::move(cells[r]), number);
    number = block.rows[r].heading ? 0 : number + 1;
  }
  if (style_.table == TableStyle::kRuled || style_.table == TableStyle::kZebra) {
    const double x0 = columns.x.front() - kGap / 2;
    const double x1 = columns.x.back() + columns.width.back() + kGap / 2;
    page().lines.push_back({x0, y_, x1, y_, 0.7, style_.accent, false});
  }
}

}  // namespace galen
