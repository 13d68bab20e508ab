// A page as a list of things to draw, in points (1/72 inch) from the top left corner, and the boxes
// of its values.
#pragma once

#include <pango/pango.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/synth/style.h"

namespace galen {

struct UnrefObject {
  void operator()(gpointer object) const { g_object_unref(object); }
};
using LayoutPtr = std::unique_ptr<PangoLayout, UnrefObject>;

struct TextItem {
  LayoutPtr layout;
  double x = 0, y = 0;  // top left corner of the layout
  SynthColor color;
};
struct RectItem {
  double x = 0, y = 0, width = 0, height = 0;
  SynthColor color;
  double line = 0;  // 0: filled
};
struct LineItem {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  double width = 0.6;
  SynthColor color;
  bool dotted = false;
};
// A frame with text, turned, in transparent ink.
struct StampItem {
  LayoutPtr layout;
  double x = 0, y = 0;  // centre
  double angle = 0;     // radians
  SynthColor color;
  double opacity = 0.5;
  bool round = false;
};
// A pen's stroke through points (x, y), as cubic curves: 1 + 3 n of them.
struct StrokeItem {
  std::vector<std::pair<double, double>> points;
  double width = 1;
  SynthColor color;
};

// Axis-parallel around the ink of a value; of several lines, around all of them.
struct ValueBox {
  std::string key;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

struct PageList {
  double width = 0, height = 0;
  std::vector<RectItem> rects;  // drawn first
  std::vector<LineItem> lines;
  std::vector<TextItem> texts;
  std::vector<StrokeItem> strokes;
  std::vector<StampItem> stamps;  // drawn last
  std::vector<ValueBox> boxes;
};

}  // namespace galen
