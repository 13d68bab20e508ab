#include "tensor/formats/iq4_nl.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeIQ4_NL(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockIQ4_NL*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>(kIQ4Values[block->qs[j] & 15]);
      values[j + 16] = d * static_cast<float>(kIQ4Values[block->qs[j] >> 4]);
    }
  }
}

}  // namespace galen
