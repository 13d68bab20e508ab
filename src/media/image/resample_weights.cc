#include "media/image/resample_weights.h"

#include <algorithm>
#include <cmath>

namespace galen {

double Triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

ResampleWeights ScaledWeights(int64_t sources, double begin, double scale, int64_t targets,
                              const FilterFunction& filter) {
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter.support * filter_scale;
  const double inverse = 1.0 / filter_scale;
  ResampleWeights weights;
  weights.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  weights.first.resize(targets);
  weights.count.resize(targets);
  weights.value.resize(targets * weights.stride);
  for (int64_t i = 0; i < targets; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    const auto last = std::min<int64_t>(static_cast<int64_t>(centre + support + 0.5), sources);
    double* value = weights.value.data() + i * weights.stride;
    double sum = 0;
    for (int64_t k = 0; k < last - first; ++k) {
      value[k] = filter.value((static_cast<double>(k + first) - centre + 0.5) * inverse);
      sum += value[k];
    }
    if (sum != 0) {
      for (int64_t k = 0; k < last - first; ++k) value[k] /= sum;
    }
    weights.first[i] = static_cast<int32_t>(first);
    weights.count[i] = static_cast<int32_t>(last - first);
  }
  return weights;
}

FixedWeights ToFixed(const ResampleWeights& weights, int bits) {
  FixedWeights fixed;
  fixed.bits = bits;
  fixed.first = weights.first;
  fixed.count = weights.count;
  fixed.stride =
      (weights.stride + FixedWeights::kStep - 1) / FixedWeights::kStep * FixedWeights::kStep;
  fixed.low.resize(fixed.targets() * fixed.stride);
  fixed.high.resize(fixed.targets() * fixed.stride);
  for (int64_t i = 0; i < fixed.targets(); ++i) {
    for (int64_t k = 0; k < weights.stride; ++k) {
      const double scaled = weights.value[i * weights.stride + k] * (1 << bits);
      const auto rounded = static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      fixed.low[i * fixed.stride + k] =
          static_cast<int16_t>(rounded & ((1 << FixedWeights::kLowBits) - 1));
      fixed.high[i * fixed.stride + k] = static_cast<int16_t>(rounded >> FixedWeights::kLowBits);
    }
  }
  return fixed;
}

}  // namespace galen
