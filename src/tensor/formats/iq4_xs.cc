#include "tensor/formats/iq4_xs.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeIQ4_XS(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockIQ4_XS*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(ScaleIQ4_XS(*block, g));
      const uint8_t* qs = block->qs + 16 * g;
      for (int j = 0; j < 16; ++j) {
        values[32 * g + j] = scale * static_cast<float>(kIQ4Values[qs[j] & 15]);
        values[32 * g + j + 16] = scale * static_cast<float>(kIQ4Values[qs[j] >> 4]);
      }
    }
  }
}

}  // namespace galen
