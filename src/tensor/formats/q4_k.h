// Q4_K: 256 values in 144 bytes (4.5 bits a value): 8 groups of 32, each with a 6-bit scale and
// minimum.
#pragma once

#include <cstdint>

#include "tensor/formats/scale_min6.h"

namespace galen {

// Value i, of group g = i / 32, is d * scale[g] * code - dmin * min[g], code 0..15; UnpackScaleMin6
// gives scale and min. Groups 2k and 2k + 1 share qs[32 k .. 32 k + 31]: low nibbles hold the even
// group, high nibbles the odd one.
struct [[gnu::packed]] BlockQ4_K {
  uint16_t d;     // f16
  uint16_t dmin;  // f16
  uint8_t scales[12];
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

void DecodeQ4_K(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ4_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
