// The code values of the block formats ("levels"), and weighted errors of a group against them.
//
// All sums run in eight lanes of fixed order: compilers turn them into vectors, and the result is
// the same on every machine.
#pragma once

#include <cstdint>

#include "tensor/formats/iq4_nl.h"

namespace galen {

// Rounds to nearest even; |v| must lie below 2^22.
inline float RoundLevel(float v) { return (v + 12582912.0f) - 12582912.0f; }

inline float Clamp(float v, float low, float high) {
  v = v > low ? v : low;
  return v < high ? v : high;
}

// The integers low..high.
template <int low, int high>
struct IntegerLevels {
  static constexpr float kLow = low, kHigh = high;
  static float Nearest(float v) { return RoundLevel(Clamp(v, kLow, kHigh)); }
};

// The table of IQ4_NL and IQ4_XS.
struct IQ4Levels {
  static constexpr float kLow = -127, kHigh = 113;
  // The code whose value lies nearest to v.
  static int NearestCode(float v);
  static float Nearest(float v) { return kIQ4Values[NearestCode(v)]; }
};

inline constexpr int kLanes = 8;

inline float SumLanes(const float lanes[kLanes]) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

}  // namespace galen
