// Boxes with labels on an image, for people to look at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "media/image/geometry.h"
#include "media/image/image.h"
#include "media/image/pixel_box.h"

namespace galen {

// A line width and letter size for images of this size: 1 up to 640 pixels of the longer side, then
// growing with it.
int64_t DrawingScale(const Image& image);

// The outline, 2 * scale wide, inside of the box; parts beyond the image are not drawn. image has
// three channels.
void DrawBox(Image* image, const PixelBox& box, Rgb color, int64_t scale);

// Text with its top left corner at (left, top) on a filled ground, moved into the image where it
// would leave it. Letters are 5 x 7 pixels times scale. ASCII; each character beyond it (UTF-8)
// becomes one '?'.
void DrawLabel(Image* image, int64_t left, int64_t top, std::string_view utf8, Rgb text, Rgb ground,
               int64_t scale);

// The box and, above its top left corner, the label (if not empty).
void DrawLabelledBox(Image* image, const PixelBox& box, std::string_view label, Rgb color);

}  // namespace galen
