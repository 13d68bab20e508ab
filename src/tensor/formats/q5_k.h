// Q5_K: 256 values in 176 bytes (5.5 bits a value): 8 groups of 32, each with a 6-bit scale and
// minimum.
#pragma once

#include <cstdint>

#include "tensor/formats/scale_min6.h"

namespace galen {

// Value i, of group g = i / 32, is d * scale[g] * code - dmin * min[g], code 0..31. Low four bits
// of the codes are stored as in Q4_K; the fifth bit of value 32 g + l is bit g of qh[l].
struct [[gnu::packed]] BlockQ5_K {
  uint16_t d;     // f16
  uint16_t dmin;  // f16
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

void DecodeQ5_K(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ5_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
