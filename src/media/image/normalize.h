// Bytes to the numbers that image towers take.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "media/image/image.h"

namespace galen {

// preprocessor_config.json: rescale_factor, image_mean, image_std. One of both for a grey image:
// the first.
struct Normalization {
  double rescale = 1.0 / 255.0;
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> std = {1, 1, 1};
};

// out[c, y, x], of image.channels * height * width. Bit for bit what transformers' Pil processors
// compute (image_transforms.py, 5.23): byte * rescale in double, rounded to float, then (x - mean)
// / std in float.
void Normalize(const Image& image, const Normalization& normalization, std::span<float> out);

}  // namespace galen
