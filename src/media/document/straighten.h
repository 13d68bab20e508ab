// Pictures of pages that lie askew, scanned or photographed, made level by their own lines of
// print.
#pragma once

#include "base/status.h"
#include "media/document/page_slope.h"
#include "media/document/text_layer.h"
#include "media/image/image.h"

namespace galen {

struct StraightPage {
  Image image;      // of the page's size and channels
  PageSlope slope;  // level: the image is the page as it was

  // Where a box of `image` stands on the page as it was: the rectangle around it.
  Box Askew(const Box& box) const;
};

// Bilinear; what comes from outside of the page is the page's edge. Pages of few or contrary lines
// stay as they are. Fails as FindTextLines does.
Result<StraightPage> Straighten(Image page);

}  // namespace galen
