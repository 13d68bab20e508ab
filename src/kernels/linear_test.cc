// The matrix product of every instruction set, layout and block format against the decoded weight,
// in double.
//
// Bounds. u = 2^-24. A sum of K rounded terms is off by less than 6 sqrt(K) u * sum |x_k| a_k but
// for one case in 10^9 (Higham and Mary 2019; six standard deviations). a_k bounds what a kernel
// adds up for w_k: formats with an offset keep scale * code and offset apart, each no larger than
// twice the largest |w| of the block, so that a_k = 3 max |w| of the block. Products of rounded
// operands are compared with the product of the operands rounded alike; a weight that fp32 decodes
// to one ulp more or less may round the other way once in a row, which is 2^-8 of its value.
// LinearPlan::kWords rounds tables too; its products are compared with those of x as it is, their
// rounding bounded like that of a sum.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/kernel_cases.h"

namespace galen {
namespace {

using cases::LayoutsOf;
using cases::MatrixShape;
using cases::PackedWeight;
using cases::TestWeight;
using cases::Uniform;

constexpr double kUnit = 0x1p-24;
constexpr float kUntouched = 12345.0f;

std::vector<float> RoundedToBf16(std::vector<float> values) {
  for (float& v : values) v = Bf16ToFloat(FloatToBf16(v));
  return values;
}

// Largest integer that `digits` digits of base 128 stand for: of the kDigits plans.
float LargestOfDigits(int digits) {
  return digits == 1 ? 127.0f : digits == 2 ? 127.0f * 128 : 127.0f * 128 * 128;
}

std::vector<float> RoundedToDigits(std::vector<float> values, int64_t cols, int digits) {
  const float steps = LargestOfDigits(digits);
  for (size_t row = 0; row < values.size(); row += cols) {
    for (int64_t b = 0; b < cols; b += 32) {
      const auto begin = values.begin() + row + b,
                 end = values.begin() + row + std::min(b + 32, cols);
      float largest = 0;
      for (auto it = begin; it != end; ++it) largest = std::max(largest, std::fabs(*it));
      for (auto it = begin; it != end && largest > 0; ++it) {
        *it = std::nearbyint(*it / (largest / steps)) * (largest / steps);
      }
    }
  }
  return values;
}

// max |w| of the block that each weight belongs to.
std::vector<float> BlockMaxima(const TestWeight& w) {
  const int64_t block =
      w.dtype == DType::kINT8 ? w.cols : std::min<int64_t>(FormatOf(w.dtype).block_elems, 32);
  std::vector<float> maxima(w.values.size());
  for (size_t b = 0; b < maxima.size(); b += block) {
    float largest = 0;
    for (int64_t i = 0; i < block; ++i) largest = std::max(largest, std::fabs(w.values[b + i]));
    std::fill_n(maxima.begin() + b, block, largest);
  }
  return maxima;
}

// What a product should be and how far off it may be, for each of m x N.
struct Expected {
  std::vector<double> y, tolerance;
};

Expected Multiply(const TestWeight& w, const std::vector<float>& x,
                  const std::vector<float>& values, int64_t m, double flipped) {
  const std::vector<float> maxima = BlockMaxima(w);
  Expected expected{std::vector<double>(m * w.rows), std::vector<double>(m * w.rows)};
  const double sum_error = (6 * std::sqrt(static_cast<double>(w.cols)) + 16) * kUnit;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t n = 0; n < w.rows; ++n) {
      double sum = 0, size = 0, largest = 0;
      for (int64_t k = 0; k < w.cols; ++k) {
        const double a = std::fabs(x[i * w.cols + k]);
        sum += static_cast<double>(x[i * w.cols + k]) * values[n * w.cols + k];
        size += a * 3 * maxima[n * w.cols + k];
        largest = std::max(largest, a * std::fabs(values[n * w.cols + k]));
      }
      expected.y[i * w.rows + n] = sum;
      expected.tolerance[i * w.rows + n] = sum_error * size + flipped * largest;
    }
  }
  return expected;
}

// The product of x, and how far off LinearPlan::kWords may be: by half a step of each x, whose 16
// integers of half a block add up to 136,800 at most, and by 2^-16 of the largest of a table.
Expected MultiplyWords(const TestWeight& w, const std::vector<float>& x, int64_t m) {
  Expected expected = Multiply(w, x, w.values, m, 0);
  const std::vector<float> maxima = BlockMaxima(w);
  std::vector<double> steps(m * w.cols);
  for (size_t b = 0; b < steps.size(); b += 32) {
    double halves[2] = {0, 0}, largest = 0;
    for (int64_t i = 0; i < 32; ++i) {
      halves[i / 16] += std::fabs(x[b + i]);
      largest = std::max<double>(largest, std::fabs(x[b + i]));
    }
    std::fill_n(steps.begin() + b, 32,
                std::max({halves[0] / 136800, halves[1] / 136800, largest / 32767}));
  }
  for (int64_t i = 0; i < m * w.rows; ++i) {
    double squares = 0;
    for (int64_t k = 0; k < w.cols; ++k) {
      const int64_t at_x = i / w.rows * w.cols + k, at_w = i % w.rows * w.cols + k;
      // A block's largest value by twos: what lies in its other half of 32 may be larger.
      const double of_x = 0.5 * steps[at_x] * w.values[at_w],
                   of_w = 2 * maxima[at_w] * 0x1p-16 * x[at_x];
      squares += of_x * of_x + of_w * of_w;
    }
    expected.tolerance[i] += 6 * std::sqrt(squares);
  }
  return expected;
}

bool IsTable(DType dtype) { return dtype == DType::kNF4 || dtype == DType::kFP4; }

struct Case {
  TestWeight w;
  std::vector<float> x, bias;
  Expected f32, bf16, words, digits[3];

  const Expected& For(LinearPlan plan) const {
    if (PlanDigits(plan) > 0) return digits[PlanDigits(plan) - 1];
    if (plan == LinearPlan::kWords) return words;
    return plan == LinearPlan::kBf16Panels ? bf16 : f32;
  }
};

Case MakeCase(DType dtype, const MatrixShape& shape, uint64_t seed) {
  const int64_t m = cases::kMostProductRows;
  Case c{cases::MakeWeight(dtype, shape.rows, shape.cols, seed),
         Uniform(m * shape.cols, seed + 1),
         Uniform(shape.rows, seed + 2),
         {},
         {},
         {},
         {}};
  c.f32 = Multiply(c.w, c.x, c.w.values, m, 0);
  c.bf16 = Multiply(c.w, RoundedToBf16(c.x), RoundedToBf16(c.w.values), m, 2 * 0x1p-8);
  if (IsTable(dtype)) c.words = MultiplyWords(c.w, c.x, m);
  for (int d = 1; d <= 3; ++d) {
    // A value that lies on the border between two steps may go either way.
    const double flipped = d == 1 ? 0 : 2 / LargestOfDigits(d);
    c.digits[d - 1] = Multiply(c.w, RoundedToDigits(c.x, shape.cols, d), c.w.values, m, flipped);
  }
  return c;
}

struct Call {
  Compute compute = Compute::kFp32;
  bool invariant = false;
  const float* bias = nullptr;
  bool accumulate = false;
  int64_t pieces = 1;  // calls that the units are cut into
};

// y = rows [first, first + m) of x times w, computed as an op would.
std::vector<float> Product(const KernelTable& kernels, const WeightView& w, const float* x,
                           int64_t m, const Call& run, LinearPlan* plan) {
  *plan = kernels.plan_linear(w, m, run.compute, run.invariant);
  std::vector<uint8_t> memory(kernels.linear_operand_bytes(*plan, m, w.cols) +
                              kernels.linear_scratch_bytes(*plan, m, w.cols) + 128);
  uint8_t* data = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
  LinearOperand operand{*plan, m, w.cols, data};
  data += (kernels.linear_operand_bytes(*plan, m, w.cols) + 63) / 64 * 64;
  for (int64_t begin = 0; begin < m; begin += 32) {
    kernels.linear_prepare(x, w.cols, begin, std::min(begin + 32, m), operand);
  }
  // Rows of y lie apart: what is between them must stay.
  const int64_t ldy = w.rows + 3;
  std::vector<float> wide(m * ldy, run.accumulate ? 1.0f : kUntouched);
  LinearOutput out{wide.data(), ldy, run.bias, run.accumulate};
  const int64_t units = kernels.linear_units(w), step = (units + run.pieces - 1) / run.pieces;
  for (int64_t u = 0; u < units; u += step) {
    kernels.linear_compute(w, operand, u, std::min(u + step, units), out, data);
  }
  std::vector<float> y;
  for (int64_t i = 0; i < m; ++i) {
    y.insert(y.end(), wide.begin() + i * ldy, wide.begin() + i * ldy + w.rows);
    for (int64_t n = w.rows; n < ldy; ++n) {
      EXPECT_EQ(wide[i * ldy + n], run.accumulate ? 1.0f : kUntouched)
          << "row " << i << ": written past its end";
    }
  }
  return y;
}

class LinearKernels : public ::testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(AllFormats, LinearKernels, ::testing::ValuesIn(cases::WeightFormats()),
                         [](const auto& info) { return std::string(FormatOf(info.param).name); });

template <typename Fn>
void ForEachKernel(const TestWeight& w, Fn&& fn) {
  for (Isa isa : SupportedIsas()) {
    const KernelTable& kernels = KernelsFor(isa);
    for (WeightLayout layout : LayoutsOf(kernels)) {
      SCOPED_TRACE(std::string(IsaName(isa)) +
                   (layout == WeightLayout::kRows ? " rows " : " tile16 ") +
                   std::to_string(w.rows) + " x " + std::to_string(w.cols));
      const PackedWeight packed(kernels, layout, w);
      fn(kernels, packed.view());
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST_P(LinearKernels, EqualTheDecodedProduct) {
  for (const MatrixShape& shape : cases::ShapesFor(GetParam())) {
    const Case c = MakeCase(GetParam(), shape, shape.rows);
    ForEachKernel(c.w, [&](const KernelTable& kernels, const WeightView& w) {
      for (int64_t m : cases::kProductRows) {
        for (Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
          Call run{compute, m % 3 == 0, m % 2 == 0 ? c.bias.data() : nullptr, m % 4 < 2, 1 + m % 3};
          LinearPlan plan;
          const std::vector<float> y = Product(kernels, w, c.x.data(), m, run, &plan);
          const bool rounds = plan == LinearPlan::kBf16Panels || plan == LinearPlan::kDigits1 ||
                              plan == LinearPlan::kDigits2 || plan == LinearPlan::kWords;
          ASSERT_FALSE(compute == Compute::kFp32 && rounds);
          const Expected& expected = c.For(plan);
          for (int64_t i = 0; i < m * w.rows; ++i) {
            const double extra =
                (run.bias ? run.bias[i % w.rows] : 0.0) + (run.accumulate ? 1.0 : 0.0);
            ASSERT_NEAR(y[i], expected.y[i] + extra,
                        expected.tolerance[i] + 4 * kUnit * (std::fabs(expected.y[i]) + 2))
                << "m " << m << " compute " << static_cast<int>(compute) << " plan "
                << static_cast<int>(plan) << " row " << i / w.rows << " feature " << i % w.rows;
          }
        }
      }
    });
  }
}

// What integers of the few rows of a decoded token cost, of the size of the product.
TEST_P(LinearKernels, FewRowsAreFinerThanBf16) {
  const int64_t n = 64, k = 1536, m = 4;
  const TestWeight weight = cases::MakeWeight(GetParam(), n, k, 5);
  const std::vector<float> x = Uniform(m * k, 6);
  const Expected expected = Multiply(weight, x, weight.values, m, 0);
  ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
    LinearPlan plan;
    const std::vector<float> y = Product(kernels, w, x.data(), m, {Compute::kBf16}, &plan);
    if (w.layout == WeightLayout::kTile16) {
      EXPECT_EQ(plan == LinearPlan::kWords, IsTable(w.dtype)) << static_cast<int>(plan);
    }
    if (plan != LinearPlan::kWords && plan != LinearPlan::kDigits2) return;
    double off = 0, size = 0;
    for (int64_t i = 0; i < m * n; ++i) {
      off += std::pow(y[i] - expected.y[i], 2);
      size += std::pow(expected.y[i], 2);
    }
    EXPECT_LT(std::sqrt(off / size), 6e-5);
  });
}

// Blocks of one value, of a single one among zeros, and of 16 among smaller ones, times weights
// that are all the largest: integers are as large as they get.
TEST_P(LinearKernels, LargestIntegersFit) {
  const int64_t n = 17, k = 256, m = 4;
  TestWeight weight = cases::MakeWeight(GetParam(), n, k, 7);
  const BlockFormat& format = FormatOf(GetParam());
  std::fill(weight.values.begin(), weight.values.end(), 1.0f);
  for (int64_t r = 0; r < n; ++r) {
    float* row = weight.values.data() + r * k;
    uint8_t* bytes = weight.bytes.data() + r * RowBytes(GetParam(), k);
    for (int64_t i = 0; i < k && r % 2 == 1; ++i) row[i] = -1;
    format.encode(row, nullptr, bytes, k / format.block_elems);
    format.decode(bytes, row, k / format.block_elems);
  }
  for (float scale : {1.0f, 1e-20f, 1e35f}) {
    std::vector<float> x(m * k);
    for (int64_t i = 0; i < k; ++i) {
      x[i] = scale;
      x[k + i] = i % 32 == 9 ? -scale : 0.0f;
      x[2 * k + i] = i % 32 < 16 ? scale : 0.01f * scale;
      x[3 * k + i] = i % 32 < 16 ? -0.3f * scale : -scale;
    }
    ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
      for (Compute compute : {Compute::kFp32, Compute::kBf16}) {
        LinearPlan plan;
        const std::vector<float> y = Product(kernels, w, x.data(), m, {compute}, &plan);
        for (int64_t i = 0; i < m * n; ++i) {
          double want = 0, size = 0;
          for (int64_t c = 0; c < k; ++c) {
            const double term =
                static_cast<double>(x[i / n * k + c]) * weight.values[i % n * k + c];
            want += term;
            size += std::fabs(term);
          }
          // bf16: half a unit of x and of w.
          const double error = plan == LinearPlan::kBf16Panels ? 0x1p-8 : 0x1p-13;
          ASSERT_NEAR(y[i], want, error * size)
              << "plan " << static_cast<int>(plan) << " row " << i / n << " feature " << i % n;
        }
      }
    });
  }
}

// One row of several, which the others do not notice.
TEST_P(LinearKernels, WhatIsNotFiniteYieldsNaN) {
  const MatrixShape shape = cases::ShapesFor(GetParam()).back();
  const TestWeight weight = cases::MakeWeight(GetParam(), shape.rows, shape.cols, 8);
  for (float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x = Uniform(3 * shape.cols, 9);
    x[shape.cols + shape.cols / 2] = value;
    ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
      for (int64_t first : {0, 1}) {
        const int64_t m = first == 0 ? 3 : 1;
        LinearPlan plan;
        const std::vector<float> y =
            Product(kernels, w, x.data() + first * shape.cols, m, {Compute::kBf16}, &plan);
        const bool integers = PlanDigits(plan) > 0 || plan == LinearPlan::kWords;
        for (int64_t i = 0; i < m * w.rows; ++i) {
          const bool hit = first + i / w.rows == 1;
          ASSERT_EQ(std::isfinite(y[i]), !hit) << i;
          ASSERT_TRUE(!hit || !integers || std::isnan(y[i])) << i;
        }
      }
    });
  }
}

TEST_P(LinearKernels, InvariantRowsDoNotDependOnTheBatch) {
  const MatrixShape shape = cases::ShapesFor(GetParam())[1];
  const int64_t most = cases::kMostProductRows, cols = shape.cols;
  const TestWeight weight = cases::MakeWeight(GetParam(), shape.rows, cols, 3);
  const std::vector<float> x = Uniform(most * cols, 4);
  ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
    for (Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
      Call run{compute, true, nullptr, false, 1};
      LinearPlan plan;
      const std::vector<float> all = Product(kernels, w, x.data(), most, run, &plan);
      for (int64_t m : cases::kProductRows) {
        for (int64_t first : {int64_t{0}, int64_t{5}, most - m}) {
          if (first + m > most) continue;
          run.pieces = 1 + first % 2;
          LinearPlan other;
          const std::vector<float> some =
              Product(kernels, w, x.data() + first * cols, m, run, &other);
          ASSERT_EQ(plan, other);
          const std::vector<float> same(all.begin() + first * w.rows,
                                        all.begin() + (first + m) * w.rows);
          ASSERT_EQ(some, same) << "m " << m << " from row " << first << " compute "
                                << static_cast<int>(compute);
        }
      }
    }
  });
}

TEST_P(LinearKernels, DecodeRows) {
  for (const MatrixShape& shape : cases::ShapesFor(GetParam())) {
    const TestWeight weight = cases::MakeWeight(GetParam(), shape.rows, shape.cols, 9);
    const std::vector<float> maxima = BlockMaxima(weight);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < 24; ++i) ids.push_back(static_cast<int32_t>((i * 7 + 3) % shape.rows));
    ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
      const int64_t ldy = w.cols + 1;
      std::vector<float> y(ids.size() * ldy, kUntouched);
      kernels.decode_rows(w, ids.data(), 1, 20, y.data(), ldy);
      for (int64_t i = 0; i < 24; ++i) {
        for (int64_t k = 0; k < ldy; ++k) {
          const float got = y[i * ldy + k];
          if (i < 1 || i >= 20 || k == w.cols) {
            ASSERT_EQ(got, kUntouched) << i << " " << k;
            continue;
          }
          // scale * code + offset, each at most 2 max |w|, rounded at most twice each.
          const int64_t at = ids[i] * w.cols + k;
          ASSERT_NEAR(got, weight.values[at], 8 * kUnit * maxima[at]) << i << " " << k;
        }
      }
    });
  }
}

TEST_P(LinearKernels, InputGradient) {
  for (const MatrixShape& shape : cases::ShapesFor(GetParam())) {
    const TestWeight weight = cases::MakeWeight(GetParam(), shape.rows, shape.cols, 11);
    const std::vector<float> maxima = BlockMaxima(weight);
    const int64_t n = shape.rows, k = shape.cols;
    for (int64_t m : {1, 3, 7, 13, 34}) {
      const std::vector<float> dy = Uniform(m * n, m);
      std::vector<double> want(m * k), size(m * k);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t r = 0; r < n; ++r) {
          for (int64_t j = 0; j < k; ++j) {
            want[i * k + j] += static_cast<double>(dy[i * n + r]) * weight.values[r * k + j];
            size[i * k + j] += std::fabs(dy[i * n + r]) * 3 * maxima[r * k + j];
          }
        }
      }
      ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
        std::vector<uint8_t> scratch(kernels.linear_backward_scratch_bytes(w) + 63);
        uint8_t* aligned = scratch.data() + (-reinterpret_cast<uintptr_t>(scratch.data()) & 63);
        for (bool accumulate : {false, true}) {
          std::vector<float> dx(m * k, accumulate ? 1.0f : kUntouched);
          for (int64_t col = 0; col < k; col += 256) {
            kernels.linear_backward_input(w, dy.data(), m, col, std::min(col + 256, k), dx.data(),
                                          accumulate, aligned);
          }
          const double sum_error = (6 * std::sqrt(static_cast<double>(n)) + 16) * kUnit;
          for (int64_t i = 0; i < m * k; ++i) {
            const double start = accumulate ? 1.0 : 0.0;
            ASSERT_NEAR(dx[i], want[i] + start, sum_error * (size[i] + start))
                << "m " << m << " at " << i;
          }
        }
      });
    }
  }
}

// Against the sums of the rounded operands.
TEST_P(LinearKernels, InputGradientBf16) {
  const auto rounded = [](float value) { return Bf16ToFloat(FloatToBf16(value)); };
  for (const MatrixShape& shape : cases::ShapesFor(GetParam())) {
    const TestWeight weight = cases::MakeWeight(GetParam(), shape.rows, shape.cols, 11);
    const std::vector<float> maxima = BlockMaxima(weight);
    const int64_t n = shape.rows, k = shape.cols;
    for (int64_t m : {1, 13, 34}) {
      const std::vector<float> dy = Uniform(m * n, m);
      const int64_t ldt = m + 3;
      std::vector<float> turned(n * ldt, std::numeric_limits<float>::quiet_NaN());
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t r = 0; r < n; ++r) turned[r * ldt + i] = dy[i * n + r];
      }
      std::vector<double> want(m * k), size(m * k);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t r = 0; r < n; ++r) {
          const double d = rounded(dy[i * n + r]);
          for (int64_t j = 0; j < k; ++j) {
            want[i * k + j] += d * weight.values[r * k + j];
            size[i * k + j] += std::fabs(d) * maxima[r * k + j];
          }
        }
      }
      ForEachKernel(weight, [&](const KernelTable& kernels, const WeightView& w) {
        if (kernels.linear_backward_input_bf16 == nullptr) return;
        LinearOperand operand{LinearPlan::kBf16Panels, m, n, nullptr};
        std::vector<uint8_t> memory(kernels.linear_operand_bytes(LinearPlan::kBf16Panels, m, n) +
                                    63);
        std::vector<uint8_t> scratch(kernels.linear_backward_bf16_scratch_bytes(m) + 63);
        const auto aligned = [](std::vector<uint8_t>& v) {
          return v.data() + (-reinterpret_cast<uintptr_t>(v.data()) & 63);
        };
        operand.data = aligned(memory);
        for (bool accumulate : {false, true}) {
          if (accumulate) {
            kernels.linear_prepare_turned(turned.data(), ldt, 0, m, operand);
          } else {
            kernels.linear_prepare(dy.data(), n, 0, m, operand);
          }
          std::vector<float> dx(m * k, accumulate ? 1.0f : kUntouched);
          for (int64_t col = 0; col < k; col += 96) {
            kernels.linear_backward_input_bf16(w, operand, col, std::min(col + 96, k), dx.data(),
                                               accumulate, aligned(scratch));
          }
          // W is off by half a unit of bf16, 2^-9; its codes are unpacked through fp32.
          const double error = 0x1p-8 + 32 * kUnit;
          for (int64_t i = 0; i < m * k; ++i) {
            const double start = accumulate ? 1.0 : 0.0;
            ASSERT_NEAR(dx[i], want[i] + start, error * (size[i] + start))
                << "m " << m << " at " << i;
          }
        }
      });
    }
  }
}

TEST(DenseLinearKernels, WeightGradient) {
  for (Isa isa : SupportedIsas()) {
    for (const MatrixShape& shape : cases::kPlainShapes) {
      const int64_t n = shape.rows, k = shape.cols, m = 35;
      const std::vector<float> dy = Uniform(m * n, 1), x = Uniform(m * k, 2),
                               before = Uniform(n * k, 3);
      std::vector<float> dw = before;
      const int64_t middle = n / 2;
      KernelsFor(isa).linear_backward_weight(dy.data(), x.data(), m, n, k, middle, n, dw.data());
      for (int64_t i = 0; i < middle * k; ++i) ASSERT_EQ(dw[i], before[i]);
      KernelsFor(isa).linear_backward_weight(dy.data(), x.data(), m, n, k, 0, middle, dw.data());
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t j = 0; j < k; ++j) {
          double sum = before[r * k + j], size = std::fabs(sum);
          for (int64_t i = 0; i < m; ++i) {
            const double term = static_cast<double>(dy[i * n + r]) * x[i * k + j];
            sum += term;
            size += std::fabs(term);
          }
          ASSERT_NEAR(dw[r * k + j], sum, m * kUnit * size) << IsaName(isa) << " " << r << " " << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace galen
