// IQ4_NL: 32 values in 18 bytes (4.5 bits a value), one scale, codes that index a table of unequal
// steps.
#pragma once

#include <cstdint>

namespace galen {

// The values of the 16 codes, shared by IQ4_NL and IQ4_XS.
inline constexpr int8_t kIQ4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

// Value i is d * kIQ4Values[code]. Byte j of qs holds code j (low nibble) and code j + 16 (high).
struct [[gnu::packed]] BlockIQ4_NL {
  uint16_t d;  // f16
  uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

void DecodeIQ4_NL(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeIQ4_NL(const float* values, const float* importance, uint8_t* blocks,
                  int64_t num_blocks);

}  // namespace galen
