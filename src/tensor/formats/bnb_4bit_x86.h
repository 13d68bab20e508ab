// Vector code of the 4-bit encoder: quantising a checkpoint is bound by it.
#pragma once

#include <cstdint>

namespace galen::x86 {

// One block of n values, n a multiple of 32. thresholds, code_of_rank: 16 each, as in bnb_4bit.cc.
// False: this processor has no vectors for it.
bool EncodeBnb4Block(const float* thresholds, const uint8_t* code_of_rank, const float* values,
                     int64_t n, uint8_t* codes, float* absmax);

}  // namespace galen::x86
