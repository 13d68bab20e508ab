// IQ4_XS: 256 values in 136 bytes (4.25 bits a value): 8 groups of 32 as in IQ4_NL, each with a
// 6-bit signed scale.
#pragma once

#include <cstdint>

#include "tensor/formats/iq4_nl.h"

namespace galen {

// Value i, of group g = i / 32, is d * (scale[g] - 32) * kIQ4Values[code]. Byte 16 g + j of qs
// holds codes j (low nibble) and j + 16 (high nibble) of group g. Low four bits of scale g: nibble
// g % 2 of scales_l[g / 2]; high two: bits 2g of scales_h, read as a little-endian u16.
struct [[gnu::packed]] BlockIQ4_XS {
  uint16_t d;  // f16
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};
static_assert(sizeof(BlockIQ4_XS) == 136);

// The scale of one group, with 32 taken off: -32..31.
inline int ScaleIQ4_XS(const BlockIQ4_XS& block, int group) {
  const int low = (block.scales_l[group / 2] >> (4 * (group % 2))) & 15;
  const int high = (block.scales_h >> (2 * group)) & 3;
  return (low | (high << 4)) - 32;
}

void DecodeIQ4_XS(const uint8_t* blocks, float* values, int64_t num_blocks);
void EncodeIQ4_XS(const float* values, const float* importance, uint8_t* blocks,
                  int64_t num_blocks);

}  // namespace galen
