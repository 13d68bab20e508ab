#include "tensor/formats/q4_k.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeQ4_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    const float dmin = HalfToFloat(block->dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin6 packed = UnpackScaleMin6(block->scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block->qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        values[32 * g + l] = scale * static_cast<float>((qs[l] >> shift) & 15) - min;
      }
    }
  }
}

}  // namespace galen
