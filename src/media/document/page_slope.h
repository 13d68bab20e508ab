// Pages lie askew on scanners, and photographs show them in perspective: lines of print climb or
// fall across the picture. The checks ask which words share a row or a column, so words are put
// where they would stand on a level page.
#pragma once

#include <span>
#include <vector>

#include "media/document/text_layer.h"

namespace galen {

// Lines of print as straight lines: the one through (0, r) has the slope `slope + bend * r`, so
// that all meet in one point, or, where bend is 0, are parallel. From the middle of the page, in
// its units.
struct PageSlope {
  double middle_x = 0, middle_y = 0;
  double slope = 0;
  double bend = 0;

  bool level() const { return slope == 0 && bend == 0; }
  // Of the same page in other units: `factor` of them for one of these.
  PageSlope Scaled(double factor) const {
    return {middle_x * factor, middle_y * factor, slope, bend / factor};
  }
  // Where the box stands on the level page: turned around the middle, and as high as the word is.
  Box Level(const Box& box) const;
  // Where a point of the level page lies on the page as it is.
  void Askew(double* x, double* y) const;
};

// Of a page's height of print; what moves nothing by that much, from edge to edge, is level.
inline constexpr double kHalfALine = 0.5;

// From the words of each line (PageWord::line). Level where the lines do not say, where they
// disagree, and where the slope moves nothing by `least_shift` of a line's height.
PageSlope SlopeOf(std::span<const PageWord> words, double width, double height,
                  double least_shift = kHalfALine);

}  // namespace galen
