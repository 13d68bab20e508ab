#include "tensor/formats/affine_fit.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

template <int kHigh, int kSize>
float WeightedError(const float* x, const float* w, Affine fit) {
  const float inverse = fit.scale != 0.0f ? 1.0f / fit.scale : 0.0f;
  float error[kLanes] = {};
  for (int i = 0; i < kSize; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float shifted = x[i + l] + fit.min;
      const float e = shifted - fit.scale * IntegerLevels<0, kHigh>::Nearest(shifted * inverse);
      error[l] += w[i + l] * e * e;
    }
  }
  return SumLanes(error);
}

// Weighted sums over a group; q is the level under a trial pair.
struct Moments {
  float q = 0.0f, qq = 0.0f, xq = 0.0f;
};

template <int kHigh, int kSize>
Moments MomentsAt(const float* x, const float* w, Affine fit) {
  const float inverse = fit.scale != 0.0f ? 1.0f / fit.scale : 0.0f;
  float sum_q[kLanes] = {}, sum_qq[kLanes] = {}, sum_xq[kLanes] = {};
  for (int i = 0; i < kSize; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float q = IntegerLevels<0, kHigh>::Nearest((x[i + l] + fit.min) * inverse);
      const float wq = w[i + l] * q;
      sum_q[l] += wq;
      sum_qq[l] += wq * q;
      sum_xq[l] += wq * x[i + l];
    }
  }
  return {SumLanes(sum_q), SumLanes(sum_qq), SumLanes(sum_xq)};
}

struct GroupSums {
  float w = 0.0f, wx = 0.0f;
  float low = 0.0f, high = 0.0f;
};

template <int kSize>
GroupSums SumGroup(const float* x, const float* w) {
  GroupSums sums;
  float sum_w[kLanes] = {}, sum_wx[kLanes] = {};
  for (int i = 0; i < kSize; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      sum_w[l] += w[i + l];
      sum_wx[l] += w[i + l] * x[i + l];
    }
  }
  sums.w = SumLanes(sum_w);
  sums.wx = SumLanes(sum_wx);
  sums.low = *std::min_element(x, x + kSize);
  sums.high = *std::max_element(x, x + kSize);
  return sums;
}

// Least squares for given levels. With min_not_negative the offset cannot go above 0.
Affine Solve(const Moments& m, const GroupSums& sums, bool min_not_negative, Affine otherwise) {
  const float determinant = sums.w * m.qq - m.q * m.q;
  if (determinant > 1e-6f * sums.w * m.qq) {
    const float scale = (sums.w * m.xq - sums.wx * m.q) / determinant;
    const float min = (m.q * m.xq - m.qq * sums.wx) / determinant;
    if (scale > 0.0f && (min >= 0.0f || !min_not_negative)) return {scale, min};
  }
  if (min_not_negative && m.qq > 0.0f && m.xq > 0.0f) return {m.xq / m.qq, 0.0f};
  return otherwise;
}

// The best real pair that the search finds.
template <int kHigh, int kSize>
Affine FitAffine(const float* x, const float* w, bool min_not_negative) {
  const GroupSums sums = SumGroup<kSize>(x, w);
  const float low = min_not_negative ? std::min(sums.low, 0.0f) : sums.low;
  if (!(sums.high > low)) return {0.0f, -low};

  // Trial pairs cut a little off either end, or leave a little room there.
  constexpr int kSteps = kHigh < 8 ? 5 : 4;
  constexpr float kCut = kHigh < 8 ? 0.16f : 1.2f / kHigh;
  constexpr float kRoom = kHigh < 8 ? 0.04f : 0.4f / kHigh;
  const float range = sums.high - low;
  Affine best = {range / kHigh, -low};
  float best_error = WeightedError<kHigh, kSize>(x, w, best);
  for (int a = 0; a <= kSteps; ++a) {
    for (int b = 0; b <= kSteps; ++b) {
      const float from = low + range * (kCut * a / kSteps - kRoom * (kSteps - a) / kSteps);
      const float to = sums.high - range * (kCut * b / kSteps - kRoom * (kSteps - b) / kSteps);
      Affine trial = {(to - from) / kHigh, -from};
      trial = Solve(MomentsAt<kHigh, kSize>(x, w, trial), sums, min_not_negative, trial);
      const float error = WeightedError<kHigh, kSize>(x, w, trial);
      if (error < best_error) best = trial, best_error = error;
    }
  }
  for (int pass = 0; pass < 4; ++pass) {
    const Affine next = Solve(MomentsAt<kHigh, kSize>(x, w, best), sums, min_not_negative, best);
    const float error = WeightedError<kHigh, kSize>(x, w, next);
    if (!(error < best_error)) break;
    best = next, best_error = error;
  }
  return best;
}

// The best integer pair for one group under d and dmin, around the real pair `fitted`.
template <int kHigh, int kSize, int kScaleHigh>
float SearchPair(const float* x, const float* w, Affine unit, Affine fitted, uint8_t* scale,
                 uint8_t* min) {
  const auto nearest = [](float v) {
    return static_cast<int>(Clamp(std::nearbyint(v), 0.0f, kScaleHigh));
  };
  const int middle = unit.scale > 0.0f ? nearest(fitted.scale / unit.scale) : 0;
  const GroupSums sums = SumGroup<kSize>(x, w);
  float best = -1.0f;
  for (int s = std::max(middle - 1, 0); s <= std::min(middle + 1, kScaleHigh); ++s) {
    const float real_scale = unit.scale * static_cast<float>(s);
    int min_middle = 0;
    if (unit.min > 0.0f) {
      // The best offset for the levels that this scale gives.
      const Moments m = MomentsAt<kHigh, kSize>(x, w, {real_scale, fitted.min});
      min_middle = nearest((real_scale * m.q - sums.wx) / sums.w / unit.min);
    }
    const int last = unit.min > 0.0f ? std::min(min_middle + 1, kScaleHigh) : 0;
    for (int k = std::max(min_middle - 1, 0); k <= last; ++k) {
      const float error =
          WeightedError<kHigh, kSize>(x, w, {real_scale, unit.min * static_cast<float>(k)});
      if (best < 0.0f || error < best) {
        best = error;
        *scale = static_cast<uint8_t>(s);
        *min = static_cast<uint8_t>(k);
      }
    }
  }
  return best;
}

}  // namespace

template <int kHigh, int kSize>
Affine FitBlockAffine(const BlockInput& in, uint16_t* d, uint16_t* m) {
  const Affine fit = FitAffine<kHigh, kSize>(in.x, in.w, /*min_not_negative=*/false);
  Affine stored;
  stored.scale = in.RoundScale(fit.scale, d);
  stored.min = -in.RoundScale(-fit.min, m);
  return stored;
}

template <int kHigh, int kSize, int kScaleHigh>
Affine FitGroupAffine(const BlockInput& in, uint16_t* d, uint16_t* dmin,
                      uint8_t scales[256 / kSize], uint8_t mins[256 / kSize]) {
  constexpr int kGroups = 256 / kSize;
  Affine fitted[kGroups];
  Affine largest = {0.0f, 0.0f};
  for (int g = 0; g < kGroups; ++g) {
    fitted[g] = FitAffine<kHigh, kSize>(in.x + g * kSize, in.w + g * kSize, true);
    largest.scale = std::max(largest.scale, fitted[g].scale);
    largest.min = std::max(largest.min, fitted[g].min);
  }

  Affine best_unit = {0.0f, 0.0f};
  float best_error = -1.0f;
  Affine unrounded = {largest.scale / kScaleHigh, largest.min / kScaleHigh};
  for (int pass = 0; pass < 4; ++pass) {
    uint16_t half_d, half_min;
    Affine unit;
    unit.scale = in.RoundScale(unrounded.scale, &half_d);
    unit.min = in.RoundScale(unrounded.min, &half_min);
    uint8_t trial_scales[kGroups], trial_mins[kGroups];
    float error = 0.0f;
    // Normal equations for d and dmin with scales, minima and levels given.
    float aa = 0.0f, ab = 0.0f, bb = 0.0f, ax = 0.0f, bx = 0.0f;
    for (int g = 0; g < kGroups; ++g) {
      const float* x = in.x + g * kSize;
      const float* w = in.w + g * kSize;
      error += SearchPair<kHigh, kSize, kScaleHigh>(x, w, unit, fitted[g], &trial_scales[g],
                                                    &trial_mins[g]);
      const float s = trial_scales[g], k = trial_mins[g];
      const Moments m = MomentsAt<kHigh, kSize>(x, w, {unit.scale * s, unit.min * k});
      const GroupSums sums = SumGroup<kSize>(x, w);
      aa += s * s * m.qq;
      ab += s * k * m.q;
      bb += k * k * sums.w;
      ax += s * m.xq;
      bx += k * sums.wx;
    }
    if (best_error < 0.0f || error < best_error) {
      best_error = error;
      best_unit = unit;
      *d = half_d;
      *dmin = half_min;
      std::copy(trial_scales, trial_scales + kGroups, scales);
      std::copy(trial_mins, trial_mins + kGroups, mins);
    }
    // x = d * a - dmin * b.
    const float determinant = aa * bb - ab * ab;
    if (determinant > 1e-6f * aa * bb) {
      unrounded = {(bb * ax - ab * bx) / determinant, (ab * ax - aa * bx) / determinant};
    } else if (aa > 0.0f) {
      unrounded = {ax / aa, 0.0f};
    }
    if (!(unrounded.scale >= 0.0f) || !(unrounded.min >= 0.0f)) break;
  }
  return best_unit;
}

template Affine FitBlockAffine<15, 32>(const BlockInput&, uint16_t*, uint16_t*);
template Affine FitBlockAffine<31, 32>(const BlockInput&, uint16_t*, uint16_t*);
template Affine FitGroupAffine<3, 16, 15>(const BlockInput&, uint16_t*, uint16_t*, uint8_t*,
                                          uint8_t*);
template Affine FitGroupAffine<15, 32, 63>(const BlockInput&, uint16_t*, uint16_t*, uint8_t*,
                                           uint8_t*);
template Affine FitGroupAffine<31, 32, 63>(const BlockInput&, uint16_t*, uint16_t*, uint8_t*,
                                           uint8_t*);

}  // namespace galen
