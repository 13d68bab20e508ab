#include "tensor/formats/block_input.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/dtype.h"

namespace galen {

float FiniteInput(float value) {
  if (std::isnan(value)) return 0.0f;
  return std::clamp(value, -kLargestInput, kLargestInput);
}

void CopyFinite(const float* values, float* finite, int count) {
  for (int i = 0; i < count; ++i) finite[i] = FiniteInput(values[i]);
}

uint16_t ScaleToHalf(float scale) { return FloatToHalf(std::clamp(scale, -65504.0f, 65504.0f)); }

float InverseOrZero(float scale) {
  const float inverse = 1.0f / scale;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

void BlockInput::Load(const float* values, const float* importance, int count) {
  float largest = 0.0f;
  for (int i = 0; i < count; ++i) {
    x[i] = FiniteInput(values[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  zero = largest < kSmallestInput;
  int exponent = 0;
  if (!zero) std::frexp(largest, &exponent);
  unit = std::ldexp(1.0f, exponent);
  const float inverse = std::ldexp(1.0f, -exponent);
  for (int i = 0; i < count; ++i) {
    x[i] *= inverse;
    if (zero || std::fabs(x[i]) < 0x1p-60f) x[i] = 0.0f;
  }

  float heaviest = 0.0f;
  if (importance != nullptr) {
    for (int i = 0; i < count; ++i) {
      const float weight = importance[i] > 0.0f ? importance[i] : 0.0f;
      w[i] = std::min(weight, std::numeric_limits<float>::max());
      heaviest = std::max(heaviest, w[i]);
    }
  }
  for (int i = 0; i < count; ++i) {
    w[i] = heaviest > 0.0f ? std::max(w[i] / heaviest, 0x1p-20f) : 1.0f;
  }
}

float BlockInput::RoundScale(float scale, uint16_t* half) const {
  *half = ScaleToHalf(scale * unit);
  return HalfToFloat(*half) / unit;
}

float BlockInput::RoundScaleOfScales(float scale, uint16_t* half) const {
  const float smallest = 0x1p-24f / unit;
  if (scale != 0.0f && std::fabs(scale) < smallest) scale = std::copysign(smallest, scale);
  return RoundScale(scale, half);
}

}  // namespace galen
