// Search for formats with an offset: x = scale * level - min, levels 0..kHigh, weighted least
// squares.
#pragma once

#include <cstdint>

#include "tensor/formats/block_input.h"
#include "tensor/formats/levels.h"

namespace galen {

struct Affine {
  float scale;  // >= 0
  float min;    // what is taken off
};

// One pair for the kSize values of a block (Q4_1, Q5_1), min of either sign. Stores scale and -min
// as f16 and returns what was stored in units of the input.
template <int kHigh, int kSize>
Affine FitBlockAffine(const BlockInput& in, uint16_t* d, uint16_t* m);

// 256 values in groups of kSize with the pair (d * scales[g], dmin * mins[g]), both integers in
// 0..kScaleHigh (Q2_K, Q4_K, Q5_K). Stores all four and returns d and dmin in units of the input.
template <int kHigh, int kSize, int kScaleHigh>
Affine FitGroupAffine(const BlockInput& in, uint16_t* d, uint16_t* dmin,
                      uint8_t scales[256 / kSize], uint8_t mins[256 / kSize]);

// The level (0..kHigh) for x; the scale may be 0.
template <int kHigh>
inline int AffineLevelOf(float x, Affine fit) {
  const float v = fit.scale != 0.0f ? (x + fit.min) / fit.scale : 0.0f;
  return static_cast<int>(IntegerLevels<0, kHigh>::Nearest(v));
}

}  // namespace galen
