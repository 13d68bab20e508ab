// Eight pairs of 6-bit scale and minimum in 12 bytes, as Q4_K and Q5_K store them.
#pragma once

#include <cstdint>

namespace galen {

struct ScaleMin6 {
  uint8_t scale;  // 0..63
  uint8_t min;    // 0..63
};

// Pairs 0..3 lie in the low six bits of bytes 0..3 (scales) and 4..7 (minima). Pairs 4..7 have
// their low four bits in the nibbles of bytes 8..11 and their high two in the top bits of bytes
// 0..7.
inline ScaleMin6 UnpackScaleMin6(const uint8_t packed[12], int group) {
  if (group < 4) {
    return {static_cast<uint8_t>(packed[group] & 63), static_cast<uint8_t>(packed[group + 4] & 63)};
  }
  return {static_cast<uint8_t>((packed[group + 4] & 15) | ((packed[group - 4] >> 6) << 4)),
          static_cast<uint8_t>((packed[group + 4] >> 4) | ((packed[group] >> 6) << 4))};
}

inline void PackScaleMin6(const ScaleMin6 pairs[8], uint8_t packed[12]) {
  for (int g = 0; g < 4; ++g) {
    const ScaleMin6 low = pairs[g], high = pairs[g + 4];
    packed[g] = static_cast<uint8_t>((low.scale & 63) | ((high.scale >> 4) << 6));
    packed[g + 4] = static_cast<uint8_t>((low.min & 63) | ((high.min >> 4) << 6));
    packed[g + 8] = static_cast<uint8_t>((high.scale & 15) | ((high.min & 15) << 4));
  }
}

}  // namespace galen
