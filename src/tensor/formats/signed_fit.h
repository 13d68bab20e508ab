// Scale search for formats without an offset: x = scale * level, weighted least squares.
#pragma once

#include <cstdint>

#include "tensor/formats/block_input.h"
#include "tensor/formats/levels.h"

namespace galen {

// One scale for all kSize values of a block (Q4_0, Q5_0, Q8_0, IQ4_NL). Stores it as f16 and
// returns it in units of the input.
template <class Levels, int kSize>
float FitBlockScale(const BlockInput& in, uint16_t* d);

// 256 values in groups of kSize with scale d * scales[g], scales kScaleLow..kScaleHigh (Q3_K, Q6_K,
// IQ4_XS). Stores d and the integer scales and returns d in units of the input.
template <class Levels, int kSize, int kScaleLow, int kScaleHigh>
float FitGroupScales(const BlockInput& in, uint16_t* d, int8_t scales[256 / kSize]);

// level for x under a scale, which may be 0.
template <class Levels>
inline float LevelOf(float x, float scale) {
  return Levels::Nearest(scale != 0.0f ? x / scale : 0.0f);
}

}  // namespace galen
