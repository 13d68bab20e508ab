// Cutting and framing images.
#pragma once

#include <array>
#include <cstdint>

#include "media/image/image.h"

namespace galen {

using Rgb = std::array<uint8_t, 3>;  // of a grey image, the first counts

// The part from (left, top), width x height pixels; what lies outside of the image is black, as in
// Pillow's crop.
Image Crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height);
// The centre, as transformers' center_crop cuts it: from floor((size - crop) / 2); a smaller image
// is framed with black, ceil((crop - size) / 2) of it before.
Image CenterCrop(const Image& image, int64_t width, int64_t height);
// A square of the longer side; of the missing pixels, floor(d / 2) come before the image (left or
// above).
Image PadToSquare(const Image& image, Rgb color);

}  // namespace galen
