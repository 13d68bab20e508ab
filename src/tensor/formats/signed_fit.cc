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

constexpr std::array<float, kHalfSteps> MakeNearestValues() {
  std::array<float, kHalfSteps> values{};
  for (int k = 0; k < kHalfSteps; ++k) values[k] = kIQ4Values[kNearestCodes[k]];
  return values;
}
constexpr std::array<float, kHalfSteps> kNearestValues = MakeNearestValues();

template <class Levels, int kSize>
float SignedError(const float* x, const float* w, float scale) {
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  Lanes error = {};
  for (int i = 0; i < kSize; i += kLanes) {
    const Lanes v = LoadLanes(x + i);
    const Lanes e = v - scale * Levels::Nearest(v * inverse);
    error += LoadLanes(w + i) * e * e;
  }
  return SumLanes(error);
}

// Sums over a group of w * x * level and w * level * level: their quotient is the best scale for
// the levels that `inverse` gives.
struct SignedMoments {
  float xq;
  float qq;
};

template <class Levels, int kSize>
SignedMoments SignedMomentsAt(const float* x, const float* w, float inverse) {
  Lanes xq = {}, qq = {};
  for (int i = 0; i < kSize; i += kLanes) {
    const Lanes v = LoadLanes(x + i);
    const Lanes q = Levels::Nearest(v * inverse);
    const Lanes wq = LoadLanes(w + i) * q;
    xq += wq * v;
    qq += wq * q;
  }
  return {SumLanes(xq), SumLanes(qq)};
}

// The best real scales that the search finds, one for each sign that the scale may have; 0 for a
// group of zeros.
struct ScalePair {
  float better, other;
};

template <class Levels, int kSize>
ScalePair FitScale(const float* x, const float* w) {
  float extreme = 0.0f, total_weight = 0.0f;
  for (int i = 0; i < kSize; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
    total_weight += w[i];
  }
  if (extreme == 0.0f) return {0.0f, 0.0f};
  // The same among the values that count: outliers that hardly do may be cut off altogether.
  float counting = 0.0f;
  for (int i = 0; i < kSize; ++i) {
    if (w[i] >= kNegligible * total_weight / kSize && std::fabs(x[i]) > std::fabs(counting)) {
      counting = x[i];
    }
  }
  const bool two = counting != 0.0f && std::fabs(counting) < 0.7f * std::fabs(extreme);

  // Trial scales put the extreme value on a point around the lowest level, or around the highest;
  // few levels leave more to gain by clipping it.
  constexpr int kSteps = Levels::kCount <= 16 ? 20 : 16;
  constexpr float kLast = Levels::kCount <= 32 ? 1.4f : 1.15f;
  float scales[2] = {0.0f, 0.0f}, gains[2] = {0.0f, 0.0f};
  for (int side = 0; side < 2; ++side) {
    const float end = side == 0 ? Levels::kLow : Levels::kHigh;
    // The error is sum(w x^2) - xq^2 / qq.
    const auto improve = [&](float inverse) {
      const SignedMoments m = SignedMomentsAt<Levels, kSize>(x, w, inverse);
      if (!(m.qq > 0.0f) || !(m.xq * m.xq > gains[side] * m.qq)) return false;
      gains[side] = m.xq * m.xq / m.qq;
      scales[side] = m.xq / m.qq;
      return true;
    };
    improve(end / extreme);
    for (int step = 0; step <= kSteps; ++step) {
      const float place = end * (0.65f + (kLast - 0.65f) * step / kSteps);
      improve(place / extreme);
      if (two) improve(place / counting);
    }
    for (int pass = 0; pass < 4 && scales[side] != 0.0f && improve(1.0f / scales[side]); ++pass) {
    }
  }
  if (gains[0] >= gains[1]) return {scales[0], scales[1]};
  return {scales[1], scales[0]};
}

}  // namespace

int IQ4Levels::NearestCode(float v) {
  const float steps = 2.0f * (Clamp(v, kLow, kHigh) - kLow);
  return kNearestCodes[static_cast<int>(steps)];
}

Lanes IQ4Levels::Nearest(Lanes v) {
  const Lanes steps = 2.0f * (Clamp(v, kLow, kHigh) - kLow);
  Lanes nearest;
  for (int l = 0; l < kLanes; ++l) nearest[l] = kNearestValues[static_cast<int>(steps[l])];
  return nearest;
}

template <class Levels, int kSize>
float FitBlockScale(const BlockInput& in, uint16_t* d) {
  return in.RoundScale(FitScale<Levels, kSize>(in.x, in.w).better, d);
}

template <class Levels, int kSize, int kScaleLow, int kScaleHigh>
float FitGroupScales(const BlockInput& in, uint16_t* d, int8_t scales[256 / kSize]) {
  constexpr int kGroups = 256 / kSize;
  ScalePair fitted[kGroups];
  float extreme = 0.0f;
  for (int g = 0; g < kGroups; ++g) {
    fitted[g] = FitScale<Levels, kSize>(in.x + g * kSize, in.w + g * kSize);
    if (std::fabs(fitted[g].better) > std::fabs(extreme)) extreme = fitted[g].better;
  }
  *d = 0;
  std::fill(scales, scales + kGroups, static_cast<int8_t>(0));
  if (extreme == 0.0f) return 0.0f;

  float best_error = 0.0f, best_d = 0.0f;
  bool found = false;
  // Where an outlier rules its group, the smallest scale that reaches it serves that group about as
  // well as the best one, and leaves finer steps for all other groups.
  float largest = 0.0f;
  for (int i = 0; i < 256; ++i) largest = std::max(largest, std::fabs(in.x[i]));
  const float smaller = largest / Levels::kLow;
  const float low = kScaleLow, high = kScaleHigh;
  for (float unrounded : {extreme / low, extreme / high, smaller / low, smaller / high}) {
    for (int pass = 0; pass < 2; ++pass) {
      uint16_t half;
      const float rounded = in.RoundScaleOfScales(unrounded, &half);
      if (rounded == 0.0f) break;
      float error = 0.0f, xq = 0.0f, qq = 0.0f;
      int8_t trial[kGroups];
      for (int g = 0; g < kGroups; ++g) {
        const float* x = in.x + g * kSize;
        const float* w = in.w + g * kSize;
        float group_error = -1.0f;
        for (const float target : {fitted[g].better, fitted[g].other}) {
          const int middle =
              static_cast<int>(Clamp(std::nearbyint(target / rounded), kScaleLow, kScaleHigh));
          const int last = std::min(middle + 1, kScaleHigh);
          for (int c = std::max(middle - 1, kScaleLow); c <= last; ++c) {
            const float e = SignedError<Levels, kSize>(x, w, rounded * static_cast<float>(c));
            if (group_error >= 0.0f && !(e < group_error)) continue;
            group_error = e;
            trial[g] = static_cast<int8_t>(c);
          }
        }
        error += group_error;
        if (trial[g] != 0) {
          const float c = trial[g];
          const SignedMoments m = SignedMomentsAt<Levels, kSize>(x, w, 1.0f / (rounded * c));
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
