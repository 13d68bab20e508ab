// Q3_K: 256 values in 110 bytes (3.4375 bits a value): 16 groups of 16, each with a 6-bit signed
// scale.
#pragma once

#include <cstdint>

namespace galen {

// Value i, of group g = i / 16, is d * (scale[g] - 32) * (code - 4), code 0..7.
// Low two bits of a code are stored as in Q2_K; the high bit of value 32 k + l is bit k of
// hmask[l]. Low four bits of scale g: nibble g / 8 of scales[g % 8]; high two: bits 2 (g / 4) of
// scales[8 + g % 4].
struct [[gnu::packed]] BlockQ3_K {
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockQ3_K) == 110);

// The 16 scales of a block, with 32 taken off: -32..31.
inline void UnpackScalesQ3_K(const uint8_t scales[12], int8_t unpacked[16]) {
  for (int g = 0; g < 16; ++g) {
    const int low = (scales[g % 8] >> (4 * (g / 8))) & 15;
    const int high = (scales[8 + g % 4] >> (2 * (g / 4))) & 3;
    unpacked[g] = static_cast<int8_t>((low | (high << 4)) - 32);
  }
}

void DecodeQ3_K(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ3_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
