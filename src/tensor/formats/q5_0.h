// Q5_0: 32 values in 22 bytes (5.5 bits a value), one scale, codes 0..31 around 16.
#pragma once

#include <cstdint>

namespace galen {

// Value i is d * (code - 16). Byte j of qs holds the low four bits of code j (low nibble) and of
// code j + 16 (high nibble); bit i of qh, read as a little-endian u32, is the fifth bit of code i.
struct [[gnu::packed]] BlockQ5_0 {
  uint16_t d;  // f16
  uint8_t qh[4];
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

// Code i (0..31) of a block of Q5_0 or Q5_1.
inline int Code5(const uint8_t qs[16], const uint8_t qh[4], int i) {
  return ((qs[i % 16] >> (4 * (i / 16))) & 15) | (((qh[i / 8] >> (i % 8)) & 1) << 4);
}

inline void PackCodes5(const int codes[32], uint8_t qs[16], uint8_t qh[4]) {
  uint32_t high = 0;
  for (int j = 0; j < 16; ++j) {
    qs[j] = static_cast<uint8_t>((codes[j] & 15) | ((codes[j + 16] & 15) << 4));
  }
  for (int i = 0; i < 32; ++i) high |= static_cast<uint32_t>(codes[i] >> 4) << i;
  for (int i = 0; i < 4; ++i) qh[i] = static_cast<uint8_t>(high >> (8 * i));
}

void DecodeQ5_0(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ5_0(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
