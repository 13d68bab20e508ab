// Resampling that equals Pillow 13's Image.resize in every byte, for grey and RGB.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "media/image/image.h"

namespace galen {

// The numbers are Pillow's Image.Resampling, as preprocessor_config.json holds them under
// "resample".
enum class Filter {
  kNearest = 0,
  kLanczos = 1,
  kBilinear = 2,
  kBicubic = 3,
  kBox = 4,
  kHamming = 5
};

std::string_view FilterName(Filter filter);                // "nearest", ...
std::optional<Filter> FilterFromNumber(int64_t resample);  // nothing: no such filter

// The part of the source that becomes the whole target, in pixels; edges may lie between pixels.
struct ResizeBox {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;
};

// All but nearest are antialiased: when shrinking, the filter's support grows with the scale.
// Arithmetic: weights with 22 fractional bits, each pass rounded to 8 bits; the rows come first
// when the height shrinks by more than twice what the width does (libImaging/Resample.c). width and
// height are at least 1, the image and the box not empty; the box lies in the image.
Image Resize(const Image& image, int64_t width, int64_t height, Filter filter);
Image Resize(const Image& image, int64_t width, int64_t height, Filter filter,
             const ResizeBox& box);

}  // namespace galen
