// Q2_K: 256 values in 84 bytes (2.625 bits a value): 16 groups of 16, each with a 4-bit scale and
// minimum.
#pragma once

#include <cstdint>

namespace galen {

// Value i, of group g = i / 16, is d * (scales[g] & 15) * code - dmin * (scales[g] >> 4), code
// 0..3. The 128 values of half h use qs[32 h .. 32 h + 31]: value 32 k + l of the half is bits 2k,
// 2k + 1 of byte l.
struct [[gnu::packed]] BlockQ2_K {
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d;     // f16
  uint16_t dmin;  // f16
};
static_assert(sizeof(BlockQ2_K) == 84);

void DecodeQ2_K(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ2_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
