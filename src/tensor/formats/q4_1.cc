#include "tensor/formats/q4_1.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeQ4_1(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    const float m = HalfToFloat(block->m);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>(block->qs[j] & 15) + m;
      values[j + 16] = d * static_cast<float>(block->qs[j] >> 4) + m;
    }
  }
}

}  // namespace galen
