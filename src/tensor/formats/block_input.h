// What an encoder sees of a block: finite values and weights, scaled so that no sum can overflow.
#pragma once

#include <cstdint>

namespace galen {

// No block format reaches beyond 65504 * 128 * 32; larger values, infinities included, become this
// before anything is computed. NaN becomes 0.
inline constexpr float kLargestInput = 0x1p30f;
// The smallest scale is 2^-24: when all values of a block lie below this, zeros are nearest to
// them.
inline constexpr float kSmallestInput = 0x1p-26f;
float FiniteInput(float value);

// Copies count values through FiniteInput.
void CopyFinite(const float* values, float* finite, int count);

// The f16 nearest to scale, and at most 65504 in magnitude: a scale is never infinite.
uint16_t ScaleToHalf(float scale);

// 1 / scale, or 0 where that is not finite.
float InverseOrZero(float scale);

struct BlockInput {
  static constexpr int kMaxValues = 256;

  // values[i] = x[i] * unit with |x[i]| < 1 and the largest in [0.5, 1); unit is a power of two, so
  // that the division is exact. Values below 2^-60 of the largest become 0.
  alignas(32) float x[kMaxValues];
  // Weights in [2^-20, 1]: a value of no importance still gets a sensible code. Weights that are
  // negative or NaN count as 0; without any importance all are 1.
  alignas(32) float w[kMaxValues];
  float unit;
  bool zero;  // every x is 0 (no value reaches kSmallestInput)

  void Load(const float* values, const float* importance, int count);

  // Stores scale * unit as f16 and returns what was stored, again in units.
  float RoundScale(float scale, uint16_t* half) const;
  // The same for the scale of integer scales: only 0 becomes 0, since a group can still choose 0.
  float RoundScaleOfScales(float scale, uint16_t* half) const;
};

}  // namespace galen
