// Layer normalisation and activations of every instruction set against the reference, on odd
// lengths. u = 2^-24 is fp32's unit roundoff.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/kernel_cases.h"

namespace galen {
namespace {

using cases::Uniform;

constexpr float kUnit = 0x1p-24f;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr ActivationKind kKinds[] = {ActivationKind::kGeluTanh, ActivationKind::kGelu,
                                     ActivationKind::kQuickGelu, ActivationKind::kSilu,
                                     ActivationKind::kRelu};

class EncoderRows : public ::testing::TestWithParam<Isa> {
 protected:
  const KernelTable& fast() const { return KernelsFor(GetParam()); }
  const KernelTable& ref() const { return KernelsFor(Isa::kRef); }
};

INSTANTIATE_TEST_SUITE_P(AllIsas, EncoderRows, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) { return std::string(IsaName(info.param)); });

// Sums of n terms in the widest case of 8 lanes x 4 sums.
float SumError(int64_t n) { return (static_cast<float>(n) / 8 + 8) * kUnit; }

// Rows far from zero: a variance taken as the mean of squares minus the squared mean would be
// nothing but rounding.
TEST_P(EncoderRows, LayerNorm) {
  for (int64_t n : cases::kLengths) {
    for (float offset : {0.0f, 100.0f}) {
      const int64_t rows = 3;
      std::vector<float> x = Uniform(rows * n, n);
      for (float& v : x) v += offset;
      const std::vector<float> w = Uniform(n, n + 1, 2.0f), b = Uniform(n, n + 2);
      std::vector<float> want(rows * n), got(rows * n);
      ref().layer_norm(x.data(), w.data(), b.data(), 1e-3f, rows, n, want.data());
      fast().layer_norm(x.data(), w.data(), b.data(), 1e-3f, rows, n, got.data());
      // The mean is off by SumError * (1 + offset), which the division by at least sqrt(eps) = 0.03
      // (one value) and about 0.5 (several) enlarges; |z| stays below 4, |w| below 2.
      const float shift = SumError(n) * (1 + offset) * (n < 8 ? 32.0f : 2.0f);
      for (int64_t i = 0; i < rows * n; ++i) {
        ASSERT_NEAR(got[i], want[i], 2 * (shift + 4 * SumError(n)) + 4 * kUnit) << n << " " << i;
      }
      fast().layer_norm(x.data(), w.data(), b.data(), 1e-3f, rows, n, x.data());
      ASSERT_EQ(x, got);
    }
  }
}

TEST_P(EncoderRows, LayerNormBackward) {
  for (int64_t n : cases::kLengths) {
    const int64_t rows = 2;
    const std::vector<float> x = Uniform(rows * n, n), w = Uniform(n, n + 1);
    const std::vector<float> dy = Uniform(rows * n, n + 2);
    std::vector<float> want = Uniform(rows * n, n + 3), got = want, untouched = want;
    std::vector<float> want_w = Uniform(n, n + 4), got_w = want_w, want_b = Uniform(n, n + 5);
    std::vector<float> got_b = want_b;
    ref().layer_norm_backward(x.data(), w.data(), 0.1f, dy.data(), rows, n, want.data(),
                              want_w.data(), want_b.data());
    fast().layer_norm_backward(x.data(), w.data(), 0.1f, dy.data(), rows, n, got.data(),
                               got_w.data(), got_b.data());
    // 1 / sqrt(variance + eps) < 3.2, |z| < 3.2, means of terms below 3.2.
    const float tolerance = 3.2f * 3.2f * 4 * SumError(n) + 16 * kUnit;
    for (int64_t i = 0; i < rows * n; ++i) ASSERT_NEAR(got[i], want[i], tolerance) << n << " " << i;
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_NEAR(got_w[i], want_w[i], tolerance) << n << " " << i;
      ASSERT_NEAR(got_b[i], want_b[i], 4 * kUnit) << n << " " << i;
    }
    fast().layer_norm_backward(x.data(), w.data(), 0.1f, dy.data(), rows, n, untouched.data(),
                               nullptr, nullptr);
    ASSERT_EQ(untouched, got);
  }
}

// Exponents of the sigmoid forms and of the density: an error of u of z becomes |z| u of e^z.
float RelativeError(ActivationKind kind, float x) {
  const float size = std::fabs(x);
  switch (kind) {
    case ActivationKind::kGeluTanh:
      return (8 + 5 * 1.6f * size * (1 + 0.045f * size * size)) * kUnit;
    case ActivationKind::kGelu:
      return (16 + 4 * size * size) * kUnit;
    case ActivationKind::kQuickGelu:
      return (8 + 5 * 1.7f * size) * kUnit;
    case ActivationKind::kSilu:
      return (8 + 5 * size) * kUnit;
    case ActivationKind::kRelu:
      return 0.0f;
  }
  return 0.0f;
}

TEST_P(EncoderRows, Activation) {
  for (ActivationKind kind : kKinds) {
    for (int64_t n : cases::kLengths) {
      const std::vector<float> x = Uniform(n, n, n % 2 == 0 ? 3.0f : 12.0f), dy = Uniform(n, n + 2);
      std::vector<float> want(n), got(n), in_place = x;
      ref().activation(kind, x.data(), n, want.data());
      fast().activation(kind, x.data(), n, got.data());
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(got[i], want[i], RelativeError(kind, x[i]) * std::fabs(want[i]) + 0x1p-120f)
            << static_cast<int>(kind) << " of " << x[i];
      }
      fast().activation(kind, in_place.data(), n, in_place.data());
      ASSERT_EQ(in_place, got);
      std::vector<float> want_dx = Uniform(n, n + 3), got_dx = want_dx;
      ref().activation_backward(kind, x.data(), dy.data(), n, want_dx.data());
      fast().activation_backward(kind, x.data(), dy.data(), n, got_dx.data());
      for (int64_t i = 0; i < n; ++i) {
        // Slopes and their terms stay below 4; far from 0 they hang on the exponential no more.
        const float error = RelativeError(kind, std::min(std::fabs(x[i]), 4.0f));
        ASSERT_NEAR(got_dx[i], want_dx[i], 4 * error + 4 * kUnit) << static_cast<int>(kind);
      }
    }
  }
}

TEST_P(EncoderRows, ActivationAtTheEnds) {
  const std::vector<float> x = {-1e30f, -200.0f, -90.0f, -0.0f, 0.0f,
                                90.0f,  200.0f,  1e12f,  kInf,  kNan};
  for (ActivationKind kind : kKinds) {
    std::vector<float> y(x.size());
    fast().activation(kind, x.data(), static_cast<int64_t>(x.size()), y.data());
    for (int i : {0, 1, 2, 3, 4}) EXPECT_NEAR(y[i], 0.0f, 1e-36f) << static_cast<int>(kind) << x[i];
    for (int i : {5, 6, 7, 8}) EXPECT_EQ(y[i], x[i]) << static_cast<int>(kind);
    EXPECT_TRUE(std::isnan(y[9])) << static_cast<int>(kind);
  }
}

}  // namespace
}  // namespace galen
