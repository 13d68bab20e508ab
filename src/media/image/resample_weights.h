// Which source pixels make a target pixel, and with what weights.
#pragma once

#include <cstdint>
#include <vector>

namespace galen {

// One-dimensional filters with their reach at scale 1.
struct FilterFunction {
  double (*value)(double x);
  double support;
};

// The filter of bilinear resampling; its support is 1.
double Triangle(double x);

// Weights of every target pixel as fractions that sum to 1.
struct ResampleWeights {
  int64_t stride = 0;          // weights held a target pixel
  std::vector<int32_t> first;  // [targets] the first source pixel
  std::vector<int32_t> count;  // [targets] how many from there
  std::vector<double> value;   // [targets, stride], 0 beyond count
};

// The same in fixed point, in the form that the kernels take: weight = (high * 2^15 + low) /
// 2^bits.
struct FixedWeights {
  static constexpr int kLowBits = 15;
  static constexpr int64_t kStep = 16;  // the stride is a multiple; weights beyond count are 0

  int bits = 0;
  int64_t stride = 0;
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int16_t> low;   // [targets, stride], not negative
  std::vector<int16_t> high;  // [targets, stride]

  int64_t targets() const { return static_cast<int64_t>(first.size()); }
  // The largest first + count, that is, one past the last source pixel used.
  int64_t end() const { return first.back() + count.back(); }
};

// The rule of Pillow (precompute_coeffs) and PyTorch (HelperInterpBase): target pixel i has its
// centre at begin + (i + 0.5) * scale; source pixels whose index rounds into centre -+ support
// count, where support grows with a scale above 1.
ResampleWeights ScaledWeights(int64_t sources, double begin, double scale, int64_t targets,
                              const FilterFunction& filter);

// Rounds half away from zero. Every weight times 2^bits fits 30 bits.
FixedWeights ToFixed(const ResampleWeights& weights, int bits);

}  // namespace galen
