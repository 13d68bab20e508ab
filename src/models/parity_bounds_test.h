// How far two programs that compute the same in fp32 may be apart.
#pragma once

#include <cmath>

namespace galen {

inline constexpr float kEpsilon = 0x1p-24f;  // half an ulp of fp32, relative

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
