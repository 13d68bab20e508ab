// Q6_K: 256 values in 210 bytes (6.5625 bits a value): 16 groups of 16, each with an 8-bit signed
// scale.
#pragma once

#include <cstdint>

namespace galen {

// Value i, of group g = i / 16, is d * scales[g] * (code - 32), code 0..63.
// Half h (128 values) uses L = ql + 64 h and H = qh + 32 h. For l < 32, its values l, l + 32,
// l + 64, l + 96 have low parts L[l] & 15, L[l + 32] & 15, L[l] >> 4, L[l + 32] >> 4 and high parts
// bits 0-1, 2-3, 4-5, 6-7 of H[l].
struct [[gnu::packed]] BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;  // f16
};
static_assert(sizeof(BlockQ6_K) == 210);

void DecodeQ6_K(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ6_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
