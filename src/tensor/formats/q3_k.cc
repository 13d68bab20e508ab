#include "tensor/formats/q3_k.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeQ3_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ3_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    int8_t scales[16];
    UnpackScalesQ3_K(block->scales, scales);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(scales[g]);
      const uint8_t* qs = block->qs + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* high = block->hmask + 16 * (g % 2);
      const int shift = 2 * ((g % 8) / 2);
      for (int l = 0; l < 16; ++l) {
        const int code = ((qs[l] >> shift) & 3) | (((high[l] >> (g / 2)) & 1) << 2);
        values[16 * g + l] = scale * static_cast<float>(code - 4);
      }
    }
  }
}

}  // namespace galen
