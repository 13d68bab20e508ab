// Every instruction set's row kernels against the reference, on odd lengths. u = 2^-24 is fp32's
// unit roundoff.
#include <gtest/gtest.h>

#include <algorithm>
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
constexpr float kEps = 1e-6f;

class RowKernels : public ::testing::TestWithParam<Isa> {
 protected:
  const KernelTable& fast() const { return KernelsFor(GetParam()); }
  const KernelTable& ref() const { return KernelsFor(Isa::kRef); }
};

INSTANTIATE_TEST_SUITE_P(AllIsas, RowKernels, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) { return std::string(IsaName(info.param)); });

// A sum of n terms of one sign in the widest case of 8 lanes x 4 sums: n / 8 additions at most
// follow each other.
float SumError(int64_t n) { return (static_cast<float>(n) / 8 + 8) * kUnit; }

TEST_P(RowKernels, RmsNorm) {
  for (int64_t n : cases::kLengths) {
    const int64_t rows = n < 1000 ? 3 : 2;
    const std::vector<float> x = Uniform(rows * n, n), w = Uniform(n, n + 1, 2.0f);
    std::vector<float> want(rows * n), got(rows * n);
    ref().rms_norm(x.data(), w.data(), kEps, rows, n, want.data());
    fast().rms_norm(x.data(), w.data(), kEps, rows, n, got.data());
    // The error of the sum of squares halves under the root; then a division, a root and two
    // products.
    const float relative = SumError(n) / 2 + 6 * kUnit;
    for (int64_t i = 0; i < rows * n; ++i)
      ASSERT_NEAR(got[i], want[i], relative * std::fabs(want[i])) << n << " " << i;

    std::vector<float> in_place = x;
    fast().rms_norm(in_place.data(), w.data(), kEps, rows, n, in_place.data());
    ASSERT_EQ(in_place, got) << n;
  }
}

TEST_P(RowKernels, RmsNormBackward) {
  for (int64_t n : cases::kLengths) {
    const int64_t rows = 2;
    const std::vector<float> x = Uniform(rows * n, n), w = Uniform(n, n + 1),
                             dy = Uniform(rows * n, n + 2);
    std::vector<float> want = Uniform(rows * n, n + 3), got = want, want_w = Uniform(n, n + 4),
                       got_w = want_w;
    ref().rms_norm_backward(x.data(), w.data(), kEps, dy.data(), rows, n, want.data(),
                            want_w.data());
    fast().rms_norm_backward(x.data(), w.data(), kEps, dy.data(), rows, n, got.data(),
                             got_w.data());
    for (int64_t r = 0; r < rows; ++r) {
      // dx = s (w dy - x s^2 mean(w dy x)): bound each term by its sum of absolute values.
      double squares = 0, terms = 0;
      for (int64_t j = 0; j < n; ++j) {
        squares += double{x[r * n + j]} * x[r * n + j];
        terms += std::fabs(double{w[j]} * dy[r * n + j] * x[r * n + j]);
      }
      const double s = 1 / std::sqrt(squares / n + kEps);
      for (int64_t j = 0; j < n; ++j) {
        const int64_t i = r * n + j;
        const double size = s * (std::fabs(w[j] * dy[i]) + std::fabs(x[i]) * s * s * terms / n);
        ASSERT_NEAR(got[i], want[i],
                    (4 * SumError(n) + 8 * kUnit) * size + 2 * kUnit * (std::fabs(want[i]) + 1))
            << n;
      }
    }
    for (int64_t j = 0; j < n; ++j) {
      double size = 1;
      for (int64_t r = 0; r < rows; ++r) size += std::fabs(got_w[j]) + std::fabs(dy[r * n + j] * 4);
      ASSERT_NEAR(got_w[j], want_w[j], (SumError(n) + 8 * kUnit) * size) << n;
    }
    std::vector<float> without = Uniform(rows * n, n + 3);
    fast().rms_norm_backward(x.data(), w.data(), kEps, dy.data(), rows, n, without.data(), nullptr);
    ASSERT_EQ(without, got);
  }
}

TEST_P(RowKernels, RopeTurnsAndTurnsBack) {
  for (int64_t head_dim : {2, 6, 14, 16, 30, 34, 64, 72, 128, 256, 258}) {
    const int64_t rows = 3, heads = 3, n = rows * heads * head_dim;
    const std::vector<float> x = Uniform(n, head_dim);
    std::vector<float> cos_sin(rows * head_dim), want(n), got(n);
    cases::Random random(head_dim + 1);
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t i = 0; i < head_dim / 2; ++i) {
        const float angle = 3.0f * random.Uniform();
        cos_sin[t * head_dim + i] = std::cos(angle);
        cos_sin[t * head_dim + head_dim / 2 + i] = std::sin(angle);
      }
    }
    for (bool inverse : {false, true}) {
      ref().rope(x.data(), cos_sin.data(), rows, heads, head_dim, inverse, want.data());
      fast().rope(x.data(), cos_sin.data(), rows, heads, head_dim, inverse, got.data());
      // Two products and a sum of values below 1.
      for (int64_t i = 0; i < n; ++i)
        ASSERT_NEAR(got[i], want[i], 4 * kUnit) << head_dim << " " << i;
    }
    std::vector<float> turned = x;
    fast().rope(turned.data(), cos_sin.data(), rows, heads, head_dim, false, turned.data());
    fast().rope(turned.data(), cos_sin.data(), rows, heads, head_dim, true, turned.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_NEAR(turned[i], x[i], 16 * kUnit);
  }
}

// g sigmoid(z): a relative error of z of some u becomes |z| times as much in e^z.
double GateError(GateKind kind, double g) {
  const double z = kind == GateKind::kSilu ? g : 1.5957691216057308 * g * (1 + 0.044715 * g * g);
  return (6 + 5 * std::fabs(z)) * kUnit;
}

TEST_P(RowKernels, GateMul) {
  for (GateKind kind : {GateKind::kGeluTanh, GateKind::kSilu}) {
    for (int64_t n : cases::kLengths) {
      const std::vector<float> gate = Uniform(n, n, n % 2 == 0 ? 3.0f : 12.0f),
                               up = Uniform(n, n + 1);
      const std::vector<float> dy = Uniform(n, n + 2);
      std::vector<float> want(n), got(n);
      ref().gate_mul(kind, gate.data(), up.data(), n, want.data());
      fast().gate_mul(kind, gate.data(), up.data(), n, got.data());
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(got[i], want[i], GateError(kind, gate[i]) * std::fabs(want[i]) + 0x1p-125f)
            << gate[i];
      }
      std::vector<float> want_g = Uniform(n, n + 3), got_g = want_g, want_u = Uniform(n, n + 4),
                         got_u = want_u;
      ref().gate_mul_backward(kind, gate.data(), up.data(), dy.data(), n, want_g.data(),
                              want_u.data());
      fast().gate_mul_backward(kind, gate.data(), up.data(), dy.data(), n, got_g.data(),
                               got_u.data());
      for (int64_t i = 0; i < n; ++i) {
        // The slope's terms, s and g z' s (1 - s), stay below 1.2 and 2.5 (GELU) in size; the old
        // gradient below 1.
        ASSERT_NEAR(got_u[i], want_u[i],
                    GateError(kind, gate[i]) * std::fabs(want[i]) + 2 * kUnit * 13)
            << gate[i];
        ASSERT_NEAR(got_g[i], want_g[i],
                    3.7 * GateError(kind, std::min(std::fabs(gate[i]), 4.0f)) + 4 * kUnit);
      }
    }
  }
}

TEST_P(RowKernels, GateMulAtTheEnds) {
  const std::vector<float> gate = {-kInf, -1e30f, -200.0f, -90.0f, -0.0f, 0.0f,
                                   90.0f, 200.0f, 1e12f,   kNan,   1.0f};
  const std::vector<float> up(gate.size(), 1.0f);
  std::vector<float> y(gate.size());
  fast().gate_mul(GateKind::kSilu, gate.data(), up.data(), gate.size(), y.data());
  for (int i : {1, 2, 3, 4, 5}) EXPECT_NEAR(y[i], 0.0f, 1e-36f) << gate[i];
  for (int i : {6, 7, 8}) EXPECT_EQ(y[i], gate[i]);
  EXPECT_TRUE(std::isnan(y[9]));
  EXPECT_NEAR(y[10], 0.7310585786, 2 * kUnit);
}

TEST_P(RowKernels, AddAndScaleAreExact) {
  for (int64_t n : cases::kLengths) {
    const std::vector<float> a = Uniform(n, n), b = Uniform(n, n + 1);
    std::vector<float> want(n), got(n), in_place = a;
    ref().add(a.data(), b.data(), n, want.data());
    fast().add(a.data(), b.data(), n, got.data());
    fast().add(in_place.data(), b.data(), n, in_place.data());
    ASSERT_EQ(got, want);
    ASSERT_EQ(in_place, want);
    ref().scale(a.data(), 25.298221f, n, want.data());
    fast().scale(a.data(), 25.298221f, n, got.data());
    ASSERT_EQ(got, want);
  }
}

TEST_P(RowKernels, LogSumExp) {
  for (int64_t n : cases::kLengths) {
    for (float scale : {1.0f, 30.0f, 1000.0f}) {
      const int64_t rows = 2;
      const std::vector<float> x = Uniform(rows * n, n, scale);
      std::vector<float> want(rows), got(rows);
      ref().log_sum_exp(x.data(), rows, n, want.data());
      fast().log_sum_exp(x.data(), rows, n, got.data());
      // Parts of 4096 values in 8 x 4 sums; e^(x - max) is off by its own rounding and that of the
      // difference, which weighs |x - max| e^(x - max) <= 0.37.
      const float tolerance = (4096.0f / 32 + 8) * kUnit + 2 * kUnit * std::fabs(want[0]) +
                              2 * kUnit * std::fabs(want[1]);
      for (int64_t r = 0; r < rows; ++r)
        ASSERT_NEAR(got[r], want[r], tolerance) << n << " " << scale;
    }
  }
}

TEST_P(RowKernels, LogSumExpOfInfinities) {
  for (int64_t n : {1, 5, 17, 100}) {
    std::vector<float> x(n, -kInf);
    float lse = 0;
    fast().log_sum_exp(x.data(), 1, n, &lse);
    EXPECT_EQ(lse, -kInf);
    x[n / 2] = 3.0f;
    fast().log_sum_exp(x.data(), 1, n, &lse);
    EXPECT_EQ(lse, 3.0f);
    x[0] = kInf;
    fast().log_sum_exp(x.data(), 1, n, &lse);
    EXPECT_EQ(lse, kInf);
    x[n - 1] = kNan;
    fast().log_sum_exp(x.data(), 1, n, &lse);
    EXPECT_TRUE(std::isnan(lse));
    std::fill(x.begin(), x.end(), 1.0f);
    x[n - 1] = kNan;
    fast().log_sum_exp(x.data(), 1, n, &lse);
    EXPECT_TRUE(std::isnan(lse));
  }
}

// scaled_softmax shows e^x itself: factor 1, lse 0.
TEST_P(RowKernels, ExponentialWithinOneUlp) {
  constexpr int64_t kPoints = 1 << 20;
  std::vector<float> x(kPoints), y(kPoints, 0.0f);
  for (int64_t i = 0; i < kPoints; ++i) x[i] = -87.33f + 176.0f * static_cast<float>(i) / kPoints;
  fast().scaled_softmax(x.data(), 0.0f, 1.0f, kPoints, y.data());
  for (int64_t i = 0; i < kPoints; ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    if (exact > 3.4028e38) continue;
    const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
    ASSERT_NEAR(y[i], exact, ulp) << x[i];
  }
  const std::vector<float> ends = {-kInf, -1000.0f, -104.0f, 89.5f, kInf, kNan, 0.0f};
  std::vector<float> out(ends.size(), 0.0f);
  fast().scaled_softmax(ends.data(), 0.0f, 1.0f, ends.size(), out.data());
  EXPECT_EQ(out[0], 0.0f);
  EXPECT_EQ(out[1], 0.0f);
  EXPECT_LE(out[2], 0x1p-126f);
  EXPECT_EQ(out[3], kInf);
  EXPECT_EQ(out[4], kInf);
  EXPECT_TRUE(std::isnan(out[5]));
  EXPECT_EQ(out[6], 1.0f);
  std::vector<float> in_place = cases::Uniform(1003, 8), apart(1003);
  const float expected = 0.25f * std::exp(in_place[700] - 0.5f);
  fast().scaled_softmax(in_place.data(), 0.5f, 0.25f, 1003, apart.data());
  fast().scaled_softmax(in_place.data(), 0.5f, 0.25f, 1003, in_place.data());
  EXPECT_EQ(in_place, apart);
  EXPECT_FLOAT_EQ(apart[700], expected);
}

TEST_P(RowKernels, Argmax) {
  cases::Random random(5);
  for (int64_t n : cases::kLengths) {
    std::vector<float> x = Uniform(n, n);
    ASSERT_EQ(fast().argmax(x.data(), n), std::max_element(x.begin(), x.end()) - x.begin());
    for (int trial = 0; trial < 8; ++trial) {
      // Two equal largest values: the first one counts.
      const int64_t i = random.Below(n), j = random.Below(n);
      std::vector<float> y = x;
      y[i] = y[j] = 2.0f;
      ASSERT_EQ(fast().argmax(y.data(), n), std::min(i, j)) << n;
      if (i == j) continue;
      y[i] = kNan;
      ASSERT_EQ(fast().argmax(y.data(), n), j) << n;
    }
    std::vector<float> none(n, kNan);
    EXPECT_EQ(fast().argmax(none.data(), n), 0);
    none[n - 1] = -kInf;
    EXPECT_EQ(fast().argmax(none.data(), n), n - 1);
    std::vector<float> lowest(n, -kInf);
    EXPECT_EQ(fast().argmax(lowest.data(), n), 0);
  }
}

}  // namespace
}  // namespace galen
