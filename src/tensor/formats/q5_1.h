// Q5_1: 32 values in 24 bytes (6 bits a value), scale and offset, codes 0..31.
#pragma once

#include <cstdint>

#include "tensor/formats/q5_0.h"

namespace galen {

// Value i is d * code + m. Codes are stored as in Q5_0.
struct [[gnu::packed]] BlockQ5_1 {
  uint16_t d;  // f16
  uint16_t m;  // f16
  uint8_t qh[4];
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

void DecodeQ5_1(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeQ5_1(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks);

}  // namespace galen
