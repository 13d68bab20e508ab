// Q8_0: 32 values in 34 bytes (8.5 bits a value), one scale, signed codes.
#pragma once

#include <cstdint>

namespace galen {

// Value i is d * qs[i].
struct [[gnu::packed]] BlockQ8_0 {
  uint16_t d;  // f16
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

void DecodeQ8_0(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ8_0(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
