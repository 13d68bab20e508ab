#include "models/vision/pixel_normaliser.h"

namespace galen {

PixelNormaliser::PixelNormaliser(const VisionConfig& config) {
  for (size_t c = 0; c < 3; ++c) {
    for (const float number : {config.image_mean[c], config.image_std[c]}) {
      description_ += ' ';
      description_ += std::to_string(number);
    }
    for (size_t v = 0; v < 256; ++v) {
      // As the reference rounds: the product in double, then fp32.
      const auto rescaled = static_cast<float>(static_cast<double>(v) * (1.0 / 255.0));
      normalised_[c][v] = (rescaled - config.image_mean[c]) / config.image_std[c];
    }
  }
}

void PixelNormaliser::FillPatch(const Image& image, int64_t y0, int64_t x0, int64_t side,
                                float* out) const {
  for (size_t c = 0; c < 3; ++c) {
    for (int64_t y = y0; y < y0 + side; ++y) {
      const uint8_t* from = image.row(y) + x0 * 3 + static_cast<int64_t>(c);
      for (int64_t x = 0; x < side; ++x) *out++ = normalised_[c][from[x * 3]];
    }
  }
}

}  // namespace galen
