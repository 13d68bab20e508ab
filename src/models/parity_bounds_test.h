// How far two programs that compute the same in fp32 may be apart.
#pragma once

#include <cmath>
#include <span>

namespace galen {

inline constexpr float kEpsilon = 0x1p-24f;  // half an ulp of fp32, relative

// Largest difference between a and b, and the root mean square of b.
struct Distance {
  float largest = 0.0f;
  float rms = 0.0f;
};

inline Distance Compare(std::span<const float> a, std::span<const float> b) {
  Distance d;
  double squares = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= d.largest)) d.largest = difference;  // NaN stays
    squares += static_cast<double>(b[i]) * b[i];
  }
  d.rms = static_cast<float>(std::sqrt(squares / static_cast<double>(b.size())));
  return d;
}

// Bound on the error of one value after n roundings in sequence, relative to the root mean square
// of its tensor. The K <= 96 partial sums of a product are each rounded (uniformly, variance 1/3 of
// the square of half an ulp) and grow from 0 to the result, so that one product errs by sqrt(K / 6)
// = 4 half ulps; independent errors add as their squares; both programs round, hence 2; among
// thousands of values 4 standard deviations occur.
inline float Bound(int roundings) {
  return 2 * 4 * 4 * kEpsilon * std::sqrt(static_cast<float>(roundings));
}

// Roundings in sequence of one decoder layer: norm, projection, head norm, rotation, scores,
// softmax, sum, projection, norm, addition, and about as many in the gated MLP.
inline constexpr int kLayerRoundings = 18;

}  // namespace galen
