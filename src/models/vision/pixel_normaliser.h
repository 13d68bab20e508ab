// Pixels of 8 bits to the numbers that towers take: (v / 255 - mean) / std, rounded as Hugging
// Face's image processors on Pillow and NumPy round it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "media/image/image.h"
#include "models/vision/vision_config.h"

namespace galen {

class PixelNormaliser {
 public:
  explicit PixelNormaliser(const VisionConfig& config);

  // The patch of `side` x `side` pixels whose upper left is (x0, y0), as [C, y, x]; it lies inside
  // the image, which is RGB.
  void FillPatch(const Image& image, int64_t y0, int64_t x0, int64_t side, float* out) const;
  // Means and deviations, for the version of a preprocessing.
  const std::string& description() const { return description_; }

 private:
  std::array<std::array<float, 256>, 3> normalised_;  // of each value of each channel
  std::string description_;
};

}  // namespace galen
