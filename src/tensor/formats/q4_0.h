// Q4_0: 32 values in 18 bytes (4.5 bits a value), one scale, codes 0..15 around 8.
#pragma once

#include <cstdint>

namespace galen {

// Value i is d * (code - 8). Byte j of qs holds code j (low nibble) and code j + 16 (high nibble).
struct [[gnu::packed]] BlockQ4_0 {
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

void DecodeQ4_0(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ4_0(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
