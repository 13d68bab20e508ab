// The code values of the block formats ("levels"), and weighted errors of a group against them.
//
// All sums run in four lanes and a fixed order, so that the result is the same on every machine.
#pragma once

#include <cstdint>

#include "tensor/formats/iq4_nl.h"

namespace galen {

// Four floats: the vector that every x86-64 and aarch64 machine has.
using Lanes [[gnu::vector_size(16)]] = float;
inline constexpr int kLanes = 4;

// A weight below this share of the group's mean does not decide what range the codes cover.
inline constexpr float kNegligible = 1.0f / 32;

inline Lanes LoadLanes(const float* from) {
  Lanes lanes;
  __builtin_memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

inline float SumLanes(Lanes v) { return (v[0] + v[2]) + (v[1] + v[3]); }

// Rounds to nearest even; |v| must lie below 2^22.
template <typename T>
inline T RoundLevel(T v) {
  return (v + 12582912.0f) - 12582912.0f;
}

inline float Clamp(float v, float low, float high) {
  v = v > low ? v : low;
  return v < high ? v : high;
}

inline Lanes Clamp(Lanes v, float low, float high) {
  const Lanes lows = low - Lanes{}, highs = high - Lanes{};
  v = v > lows ? v : lows;
  return v < highs ? v : highs;
}

// The integers low..high.
template <int low, int high>
struct IntegerLevels {
  static constexpr float kLow = low, kHigh = high;
  static constexpr int kCount = high - low + 1;
  template <typename T>
  static T Nearest(T v) {
    return RoundLevel(Clamp(v, kLow, kHigh));
  }
};

// The table of IQ4_NL and IQ4_XS.
struct IQ4Levels {
  static constexpr float kLow = -127, kHigh = 113;
  static constexpr int kCount = 16;
  // The code whose value lies nearest to v.
  static int NearestCode(float v);
  static float Nearest(float v) { return kIQ4Values[NearestCode(v)]; }
  static Lanes Nearest(Lanes v);
};

}  // namespace galen
