// The pen of compose.cc: writes from top to bottom and begins a page where one is full.
#pragma once

#include <string>
#include <vector>

#include "data/synth/document.h"
#include "data/synth/fonts.h"
#include "data/synth/page_list.h"
#include "data/synth/style.h"

namespace galen {

struct TextLook {
  bool head_font = false;
  double scale = 1;  // of the style's size
  bool bold = false;
  SynthColor color;
};

// A text that is shaped and measured, but not placed.
struct Shaped {
  LayoutPtr layout;
  const SpanText* spans = nullptr;  // of which the layout prints all, in order
  double width = 0, height = 0;     // logical, points
};

class Composer {
 public:
  Composer(const SynthStyle& style, FontSource* fonts);

  const SynthStyle& style() const { return style_; }
  double left() const { return style_.margin; }
  double right() const { return style_.width - style_.margin; }
  double width() const { return right() - left(); }
  double y() const { return y_; }
  void set_y(double y) { y_ = y; }
  PageList& page() { return pages_.back(); }
  size_t num_pages() const { return pages_.size(); }
  std::vector<PageList>& pages() { return pages_; }

  void NewPage();
  // Begins a page if less than `height` is left on this one; true if it did.
  bool Ensure(double height);
  void Space(double height) { y_ += height; }

  // width > 0: lines break there. spans must live until the text is placed.
  Shaped Shape(const SpanText& spans, const TextLook& look, double width = 0);
  Shaped Shape(const std::string& text, const TextLook& look, double width = 0);
  // Puts it down and notes the boxes of its values.
  void Place(Shaped shaped, double x, double y, SynthColor color = {});
  // Lays out in the width, breaking pages between texts only, and moves on.
  void Write(const SpanText& spans, const TextLook& look, double x, double width,
             Align align = Align::kLeft);
  void Write(const std::string& text, const TextLook& look, Align align = Align::kLeft);
  void Rule(double y, double width, SynthColor color, bool dotted = false);

  // compose_table.cc: the rows with what the style draws around them.
  void Table(const Block& block);
  // Width that the table takes if no cell breaks.
  double NaturalTableWidth(const Block& block);

 private:
  struct Columns {
    std::vector<double> x, width;  // points
    double scale = 1;              // of the letters
  };
  // All cells once, without line breaks: most are placed as they are.
  std::vector<std::vector<Shaped>> ShapeCells(const Block& block);
  std::vector<double> NaturalWidths(const Block& block,
                                    const std::vector<std::vector<Shaped>>& cells);
  Columns FitColumns(const Block& block, std::vector<double> widths, double available);
  void TableHead(const Block& block, const Columns& columns);
  void TableRowOut(const Block& block, const Columns& columns, const TableRow& row,
                   std::vector<Shaped> cells, size_t number);
  void RowFrame(const Columns& columns, double top, double bottom);

  const SynthStyle& style_;
  FontSource* fonts_;
  std::vector<PageList> pages_;
  double y_ = 0;
};

}  // namespace galen
