// Q4_1: 32 values in 20 bytes (5 bits a value), scale and offset, codes 0..15.
#pragma once

#include <cstdint>

namespace galen {

// Value i is d * code + m. Byte j of qs holds code j (low nibble) and code j + 16 (high nibble).
struct [[gnu::packed]] BlockQ4_1 {
  uint16_t d;  // f16
  uint16_t m;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

void DecodeQ4_1(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ4_1(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
