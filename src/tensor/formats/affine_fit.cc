#include "tensor/formats/affine_fit.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

template <int kHigh, int kSize>
float AffineError(const float* x, const float* w, Affine fit) {
  const float inverse = fit.scale != 0.0f ? 1.0f / fit.scale : 0.0f;
  Lanes error = {};
  for (int i = 0; i < kSize; i += kLanes) {
    const Lanes shifted = LoadLanes(x + i) + fit.min;
    const Lanes e = shifted - fit.scale * IntegerLevels<0, kHigh>::Nearest(shifted * inverse);
    error += LoadLanes(w + i) * e * e;
  }
  return SumLanes(error);
}

// Weighted sums over a group; q is the level under a trial pair.
struct AffineMoments {
  float q = 0.0f, qq = 0.0f, xq = 0.0f;
};

template <int kHigh, int kSize>
AffineMoments AffineMomentsAt(const float* x, const float* w, Affine fit) {
  const float inverse = fit.scale != 0.0f ? 1.0f / fit.scale : 0.0f;
  Lanes sum_q = {}, sum_qq = {}, sum_xq = {};
  for (int i = 0; i < kSize; i += kLanes) {
    const Lanes v = LoadLanes(x + i);
    const Lanes q = IntegerLevels<0, kHigh>::Nearest((v + fit.min) * inverse);
    const Lanes wq = LoadLanes(w + i) * q;
    sum_q += wq;
    sum_qq += wq * q;
    sum_xq += wq * v;
  }
  return {SumLanes(sum_q), SumLanes(sum_qq), SumLanes(sum_xq)};
}

struct GroupSums {
  float w, wx, wxx;
};

template <int kSize>
GroupSums SumGroup(const float* x, const float* w) {
  Lanes sum_w = {}, sum_wx = {}, sum_wxx = {};
  for (int i = 0; i < kSize; i += kLanes) {
    const Lanes v = LoadLanes(x + i);
    const Lanes weights = LoadLanes(w + i);
    const Lanes wx = weights * v;
    sum_w += weights;
    sum_wx += wx;
    sum_wxx += wx * v;
  }
  return {SumLanes(sum_w), SumLanes(sum_wx), SumLanes(sum_wxx)};
}

struct Solution {
  Affine fit;
  float error;  // negative: no solution
};

// Least squares for given levels, with fit.min >= lowest_min.
Solution Solve(const AffineMoments& m, const GroupSums& sums, float lowest_min) {
  const float determinant = sums.w * m.qq - m.q * m.q;
  if (determinant > 1e-6f * sums.w * m.qq) {
    const float scale = (sums.w * m.xq - sums.wx * m.q) / determinant;
    const float min = (m.q * m.xq - m.qq * sums.wx) / determinant;
    if (scale > 0.0f && min >= lowest_min) {
      return {{scale, min}, std::max(0.0f, sums.wxx - scale * m.xq + min * sums.wx)};
    }
  }
  // On the border: x + lowest_min = scale * level.
  const float xq = m.xq + lowest_min * m.q;
  if (!(m.qq > 0.0f) || !(xq > 0.0f)) return {{0.0f, 0.0f}, -1.0f};
  const float total = sums.wxx + lowest_min * (2.0f * sums.wx + lowest_min * sums.w);
  return {{xq / m.qq, lowest_min}, std::max(0.0f, total - xq * xq / m.qq)};
}

// The best real pair that the search finds, with min >= lowest_min.
template <int kHigh, int kSize>
Affine FitAffine(const float* x, const float* w, float lowest_min) {
  const auto [smallest, largest] = std::minmax_element(x, x + kSize);
  const float low = std::min(*smallest, -lowest_min);
  const float range = *largest - low;
  if (!(range > 0.0f)) return {0.0f, -low};

  // Sums over what lies above `low` do not cancel when the offset is much larger than the range.
  float y[kSize];
  for (int i = 0; i < kSize; ++i) y[i] = x[i] - low;
  lowest_min += low;
  const GroupSums sums = SumGroup<kSize>(y, w);

  // Trial pairs cut a little off either end, or leave a little room there.
  constexpr int kSteps = kHigh < 8 ? 5 : 4;
  constexpr float kCut = kHigh < 8 ? 0.25f : 2.5f / kHigh;
  constexpr float kRoom = kHigh < 8 ? 0.04f : 0.4f / kHigh;
  Affine best = {range / kHigh, 0.0f};
  float best_error = AffineError<kHigh, kSize>(y, w, best);
  const auto improve = [&](Affine trial) {
    const Solution solution = Solve(AffineMomentsAt<kHigh, kSize>(y, w, trial), sums, lowest_min);
    // The levels that the solution itself gives are a little better still: worth a look if close.
    if (solution.error < 0.0f || solution.error > 1.15f * best_error) return false;
    const float error = AffineError<kHigh, kSize>(y, w, solution.fit);
    if (!(error < best_error)) return false;
    best = solution.fit;
    best_error = error;
    return true;
  };
  const auto search = [&](float bottom, float top) {
    const float span = top - bottom;
    for (int a = 0; a <= kSteps; ++a) {
      for (int b = 0; b <= kSteps; ++b) {
        const float from = bottom + span * (kCut * a - kRoom * (kSteps - a)) / kSteps;
        const float to = top - span * (kCut * b - kRoom * (kSteps - b)) / kSteps;
        improve({(to - from) / kHigh, -from});
      }
    }
  };
  search(0.0f, range);
  // Outliers that hardly count may be cut off altogether.
  float bottom = range, top = 0.0f;
  const float least = kNegligible * sums.w / kSize;
  for (int i = 0; i < kSize; ++i) {
    if (w[i] < least) continue;
    bottom = std::min(bottom, y[i]);
    top = std::max(top, y[i]);
  }
  bottom = std::min(bottom, -lowest_min);
  if (top > bottom && top - bottom < 0.8f * range) search(bottom, top);
  for (int pass = 0; pass < 4 && improve(best); ++pass) {
  }
  return {best.scale, best.min - low};
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
      const AffineMoments m = AffineMomentsAt<kHigh, kSize>(x, w, {real_scale, fitted.min});
      min_middle = nearest((real_scale * m.q - sums.wx) / sums.w / unit.min);
    }
    const int last = unit.min > 0.0f ? std::min(min_middle + 1, kScaleHigh) : 0;
    for (int k = std::max(min_middle - 1, 0); k <= last; ++k) {
      const float error =
          AffineError<kHigh, kSize>(x, w, {real_scale, unit.min * static_cast<float>(k)});
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
  const Affine fit = FitAffine<kHigh, kSize>(in.x, in.w, -2.0f);
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
    fitted[g] = FitAffine<kHigh, kSize>(in.x + g * kSize, in.w + g * kSize, 0.0f);
    largest.scale = std::max(largest.scale, fitted[g].scale);
    largest.min = std::max(largest.min, fitted[g].min);
  }

  Affine best_unit = {0.0f, 0.0f};
  float best_error = -1.0f;
  Affine unrounded = {largest.scale / kScaleHigh, largest.min / kScaleHigh};
  for (int pass = 0; pass < 4; ++pass) {
    uint16_t half_d, half_min;
    Affine unit;
    unit.scale = in.RoundScaleOfScales(unrounded.scale, &half_d);
    unit.min = in.RoundScaleOfScales(unrounded.min, &half_min);
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
      const AffineMoments m = AffineMomentsAt<kHigh, kSize>(x, w, {unit.scale * s, unit.min * k});
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
