#include "media/image/normalize.h"

#include "base/status.h"

namespace galen {

void Normalize(const Image& image, const Normalization& normalization, std::span<float> out) {
  const int64_t pixels = image.width * image.height;
  GALEN_CHECK(image.channels >= 1 && image.channels <= 3);
  GALEN_CHECK(static_cast<int64_t>(out.size()) == pixels * image.channels);
  for (int64_t c = 0; c < image.channels; ++c) {
    const auto mean = static_cast<float>(normalization.mean[c]);
    const auto std = static_cast<float>(normalization.std[c]);
    std::array<float, 256> value;
    for (int byte = 0; byte < 256; ++byte) {
      value[byte] = (static_cast<float>(byte * normalization.rescale) - mean) / std;
    }
    const uint8_t* in = image.pixels.data() + c;
    float* plane = out.data() + c * pixels;
    for (int64_t i = 0; i < pixels; ++i) plane[i] = value[in[i * image.channels]];
  }
}

}  // namespace galen
