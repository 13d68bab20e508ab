// Which words of a page belong together: rows and columns.
#pragma once

#include <algorithm>

#include "media/document/text_layer.h"

namespace galen::extract {

inline double Height(const Box& box) { return std::max(box.y1 - box.y0, 1.0); }
inline double MiddleY(const Box& box) { return (box.y0 + box.y1) / 2; }

// The middle of one lies within the other, so that sub- and superscripts share a row.
inline bool SameRow(const Box& a, const Box& b) {
  return (MiddleY(a) >= a.y0 && MiddleY(a) >= b.y0 && MiddleY(a) <= b.y1) ||
         (MiddleY(b) >= a.y0 && MiddleY(b) <= a.y1);
}
inline bool SameColumn(const Box& a, const Box& b) {
  const double slack = 0.3 * std::min(Height(a), Height(b));
  return a.x0 < b.x1 + slack && b.x0 < a.x1 + slack;
}

}  // namespace galen::extract
