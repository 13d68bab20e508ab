#include "tensor/formats/signed_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace galen {
namespace {

// Every table value and every midpoint between two of them is a multiple of 1/2, so one code is
// nearest to all of [k / 2, (k + 1) / 2).
constexpr int kHalfSteps = 2 * (113 + 127) + 1;
constexpr std::array<uint8_t, kHalfSteps> MakeNearestCodes() {
  std::array<uint8_t, kHalfSteps> codes{};
  for (int k = 0; k < kHalfSteps; ++k) {
    const int quadruple = 2 * k + 1 - 4 * 127;  // the middle of the step, times 4
    int best = 0, best_distance = 1 << 20;
    for (int code = 0; code < 16; ++code) {
      const int difference = 4 * kIQ4Values[code] - quadruple;
      const int distance = difference < 0 ? -difference : difference;
      if (distance < best_distance) best = code, best_distance = distance;
    }
    codes[k] = static_cast<uint8_t>(best);
  }
  return codes;
}
constexpr std::array<uint8_t, kHalfSteps> kNearestCodes = MakeNearestCodes();

template <class Levels, int kSize>
float WeightedError(const float* x, const float* w, float scale) {
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  float error[kLanes] = {};
  for (int i = 0; i < kSize; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float e = x[i + l] - scale * Levels::Nearest(x[i + l] * inverse);
      error[l] += w[i + l] * e * e;
    }
  }
  return SumLanes(error);
}

// Sums over a group of w * x * level and w * level * level: their quotient is the best scale for
// the levels that `inverse` gives.
struct Moments {
  float xq;
  float qq;
};

template <class Levels, int kSize>
Moments MomentsAt(const float* x, const float* w, float inverse) {
  float xq[kLanes] = {}, qq[kLanes] = {};
  for (int i = 0; i < kSize; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float q = Levels::Nearest(x[i + l] * inverse);
      const float wq = w[i + l] * q;
      xq[l] += wq * x[i + l];
      qq[l] += wq * q;
    }
  }
  return {SumLanes(xq), SumLanes(qq)};
}

// The best real scale (it may be negative) that the search finds; 0 for a group of zeros.
template <class Levels, int kSize>
float FitScale(const float* x, const float* w) {
  float extreme = 0.0f;
  for (int i = 0; i < kSize; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0.0f) return 0.0f;

  // Trial scales put the extreme value on a point around the lowest level, or around the highest;
  // few levels leave more to gain by clipping it.
  constexpr int kSteps = 16;
  float best_gain = 0.0f, best = 0.0f;
  for (const float end : {Levels::kLow, Levels::kHigh}) {
    const float from = 0.65f * end, to = 1.15f * end;
    for (int step = 0; step <= kSteps; ++step) {
      const float inverse = (from + (to - from) * step / kSteps) / extreme;
      const Moments m = MomentsAt<Levels, kSize>(x, w, inverse);
      // The error is sum(w x^2) - xq^2 / qq.
      if (m.qq > 0.0f && m.xq * m.xq > best_gain * m.qq) {
        best_gain = m.xq * m.xq / m.qq;
        best = m.xq / m.qq;
      }
    }
  }
  for (int pass = 0; pass < 4 && best != 0.0f; ++pass) {
    const Moments m = MomentsAt<Levels, kSize>(x, w, 1.0f / best);
    if (!(m.qq > 0.0f) || !(m.xq * m.xq > best_gain * m.qq)) break;
    best_gain = m.xq * m.xq / m.qq;
    best = m.xq / m.qq;
  }
  return best;
}

}  // namespace

int IQ4Levels::NearestCode(float v) {
  const float steps = 2.0f * (Clamp(v, kLow, kHigh) - kLow);
  return kNearestCodes[static_cast<int>(steps)];
}

template <class Levels, int kSize>
float FitBlockScale(const BlockInput& in, uint16_t* d) {
  const float scale = FitScale<Levels, kSize>(in.x, in.w);
  return in.RoundScale(scale, d);
}

template <class Levels, int kSize, int kScaleLow, int kScaleHigh>
float FitGroupScales(const BlockInput& in, uint16_t* d, int8_t scales[256 / kSize]) {
  constexpr int kGroups = 256 / kSize;
  float fitted[kGroups];
  float extreme = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    fitted[g] = FitScale<Levels, kSize>(in.x + g * kSize, in.w + g * kSize);
    if (std::fabs(fitted[g]) > std::fabs(extreme)) extreme = fitted[g];
  }
  *d = 0;
  std::fill(scales, scales + kGroups, static_cast<int8_t>(0));
  if (extreme == 0.0f) return 0.0f;

  float best_error = 0.0f, best_d = 0.0f;
  bool found = false;
  for (const float end : {static_cast<float>(kScaleLow), static_cast<float>(kScaleHigh)}) {
    float unrounded = extreme / end;
    for (int pass = 0; pass < 3; ++pass) {
      uint16_t half;
      const float rounded = in.RoundScale(unrounded, &half);
      if (rounded == 0.0f) break;
      float error = 0.0f, xq = 0.0f, qq = 0.0f;
      int8_t trial[kGroups];
      for (int g = 0; g < kGroups; ++g) {
        const float* x = in.x + g * kSize;
        const float* w = in.w + g * kSize;
        const int middle =
            static_cast<int>(Clamp(std::nearbyint(fitted[g] / rounded), kScaleLow, kScaleHigh));
        float group_error = 0.0f;
        for (int c = std::max(middle - 1, kScaleLow); c <= std::min(middle + 1, kScaleHigh); ++c) {
          const float e = WeightedError<Levels, kSize>(x, w, rounded * static_cast<float>(c));
          if (c == std::max(middle - 1, kScaleLow) || e < group_error) {
            group_error = e;
            trial[g] = static_cast<int8_t>(c);
          }
        }
        error += group_error;
        if (trial[g] != 0) {
          const float c = trial[g];
          const Moments m = MomentsAt<Levels, kSize>(x, w, 1.0f / (rounded * c));
          xq += m.xq * c;
          qq += m.qq * c * c;
        }
      }
      if (!found || error < best_error) {
        found = true;
        best_error = error;
        best_d = rounded;
        *d = half;
        std::copy(trial, trial + kGroups, scales);
      }
      if (!(qq > 0.0f)) break;
      unrounded = xq / qq;  // the best d for these scales and levels
    }
  }
  return best_d;
}

template float FitBlockScale<IntegerLevels<-8, 7>, 32>(const BlockInput&, uint16_t*);
template float FitBlockScale<IntegerLevels<-16, 15>, 32>(const BlockInput&, uint16_t*);
template float FitBlockScale<IntegerLevels<-127, 127>, 32>(const BlockInput&, uint16_t*);
template float FitBlockScale<IQ4Levels, 32>(const BlockInput&, uint16_t*);
template float FitGroupScales<IntegerLevels<-4, 3>, 16, -32, 31>(const BlockInput&, uint16_t*,
                                                                 int8_t*);
template float FitGroupScales<IntegerLevels<-32, 31>, 16, -128, 127>(const BlockInput&, uint16_t*,
                                                                     int8_t*);
template float FitGroupScales<IQ4Levels, 32, -32, 31>(const BlockInput&, uint16_t*, int8_t*);

}  // namespace galen
