#include "data/synth/composer.h"

#include <algorithm>
#include <utility>

namespace galen {
namespace {

double Points(int pango_units) { return static_cast<double>(pango_units) / PANGO_SCALE; }

// The box of bytes [begin, end) of a layout whose top left corner is (x, y); false: no ink.
bool RangeBox(PangoLayout* layout, int begin, int end, double x, double y, ValueBox* box) {
  bool any = false;
  PangoLayoutIter* at = pango_layout_get_iter(layout);
  do {
    PangoLayoutLine* line = pango_layout_iter_get_line_readonly(at);
    const int first = std::max(begin, line->start_index);
    const int last = std::min(end, line->start_index + line->length);
    if (first >= last) continue;
    PangoRectangle ink, logical;
    pango_layout_iter_get_line_extents(at, &ink, &logical);
    int from = 0, to = 0;
    pango_layout_line_index_to_x(line, first, FALSE, &from);
    pango_layout_line_index_to_x(line, last, FALSE, &to);
    if (from > to) std::swap(from, to);
    if (from == to || ink.height == 0) continue;
    const double x0 = x + Points(logical.x + from), x1 = x + Points(logical.x + to);
    const double y0 = y + Points(ink.y), y1 = y + Points(ink.y + ink.height);
    box->x0 = any ? std::min(box->x0, x0) : x0;
    box->y0 = any ? std::min(box->y0, y0) : y0;
    box->x1 = any ? std::max(box->x1, x1) : x1;
    box->y1 = any ? std::max(box->y1, y1) : y1;
    any = true;
  } while (pango_layout_iter_next_line(at));
  pango_layout_iter_free(at);
  return any;
}

}  // namespace

Composer::Composer(const SynthStyle& style, FontSource* fonts) : style_(style), fonts_(fonts) {
  NewPage();
}

void Composer::NewPage() {
  PageList& page = pages_.emplace_back();
  page.width = style_.width;
  page.height = style_.height;
  y_ = style_.margin;
}

bool Composer::Ensure(double height) {
  if (y_ + height <= style_.height - style_.margin || y_ <= style_.margin) return false;
  NewPage();
  return true;
}

Shaped Composer::Shape(const std::string& text, const TextLook& look, double width) {
  Shaped shaped;
  const std::string& family = look.head_font ? style_.head_font : style_.body_font;
  shaped.layout = fonts_->Layout(text, family, style_.size * look.scale, look.bold);
  if (width > 0) {
    pango_layout_set_width(shaped.layout.get(), static_cast<int>(width * PANGO_SCALE));
    pango_layout_set_wrap(shaped.layout.get(), PANGO_WRAP_WORD_CHAR);
  }
  PangoRectangle logical;
  pango_layout_get_extents(shaped.layout.get(), nullptr, &logical);
  shaped.width = Points(logical.width);
  shaped.height = Points(logical.height);
  return shaped;
}

Shaped Composer::Shape(const SpanText& spans, const TextLook& look, double width) {
  std::string text;
  for (const Span& span : spans) text += span.text;
  Shaped shaped = Shape(text, look, width);
  shaped.spans = &spans;
  return shaped;
}

void Composer::Place(Shaped shaped, double x, double y, SynthColor color) {
  if (shaped.spans != nullptr) {
    int begin = 0;
    for (const Span& span : *shaped.spans) {
      const int end = begin + static_cast<int>(span.text.size());
      ValueBox box;
      box.key = span.key;
      if (!span.key.empty() && RangeBox(shaped.layout.get(), begin, end, x, y, &box))
        page().boxes.push_back(std::move(box));
      begin = end;
    }
  }
  page().texts.push_back({std::move(shaped.layout), x, y, color});
}

void Composer::Write(const SpanText& spans, const TextLook& look, double x, double width,
                     Align align) {
  Shaped shaped = Shape(spans, look, width);
  Ensure(shaped.height);
  const double free = width - shaped.width;
  if (align == Align::kCenter) x += free / 2;
  if (align == Align::kRight) x += free;
  const double height = shaped.height;
  Place(std::move(shaped), x, y_, look.color);
  y_ += height;
}

void Composer::Write(const std::string& text, const TextLook& look, Align align) {
  const SpanText spans = {{text, ""}};
  Write(spans, look, left(), width(), align);
}

void Composer::Rule(double y, double width, SynthColor color, bool dotted) {
  page().lines.push_back({left(), y, right(), y, width, color, dotted});
}

}  // namespace galen
