#include "tensor/formats/q8_0.h"

#include "tensor/dtype.h"

namespace galen {

void DecodeQ8_0(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(block->qs[i]);
  }
}

}  // namespace galen
