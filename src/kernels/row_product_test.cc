// Row products against float64 on rounded operands, with everything that is fused into them.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/kernel_cases.h"

namespace galen {
namespace {

using cases::Uniform;

struct Shape {
  int64_t n, k;
};
// Around units of 16, tiles of 2 and 3 units, chunks of 32 columns.
constexpr Shape kShapes[] = {{1, 1}, {16, 32}, {33, 65}, {48, 96}, {83, 50}, {100, 33}, {275, 320}};
constexpr int64_t kRows[] = {1, 7, 8, 9, 16, 33, 95};

class RowProducts : public ::testing::TestWithParam<Isa> {
 protected:
  const KernelTable& kernels() const { return KernelsFor(GetParam()); }
  void SetUp() override {
    if (kernels().row_product_bf16 == nullptr)
      GTEST_SKIP() << "this instruction set has no row products";
  }
};

INSTANTIATE_TEST_SUITE_P(AllIsas, RowProducts, ::testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) { return std::string(IsaName(info.param)); });

class Operand {
 public:
  Operand(const KernelTable& kernels, LinearPlan plan, int64_t m, int64_t k)
      : bytes_(static_cast<size_t>(kernels.linear_operand_bytes(plan, m + 32, k)) + 64, 0xff),
        used_(kernels.linear_operand_bytes(plan, 32, k) / 32 * m),
        operand_{plan, m, k, bytes_.data() + (-reinterpret_cast<uintptr_t>(bytes_.data()) & 63)} {}
  Operand(const KernelTable& kernels, LinearPlan plan, const std::vector<float>& x, int64_t m,
          int64_t k)
      : Operand(kernels, plan, m, k) {
    kernels.linear_prepare(x.data(), k, 0, m, operand_);
  }
  void* data() const { return operand_.data; }

  // The values of a bf16 operand, row by row, with the padding of the last chunk. AMX keeps tiles
  // of 16 rows and 32 columns.
  std::vector<float> Bf16Values(Isa isa, int64_t k) const {
    const int64_t stride = used_ / operand_.m / 2;
    std::vector<float> values;
    for (int64_t i = 0; i < operand_.m; ++i) {
      for (int64_t j = 0; j < (k + 31) / 32 * 32; ++j) {
        const int64_t at = isa == Isa::kAmx
                               ? i / 16 * 16 * stride + j / 32 * 512 + i % 16 * 32 + j % 32
                               : i * stride + j;
        values.push_back(Bf16ToFloat(static_cast<const uint16_t*>(operand_.data)[at]));
      }
    }
    return values;
  }

  // Digits and scales of a kDigits1 operand, without what pads a row.
  std::vector<uint8_t> Bytes(int64_t k) const {
    const auto* data = static_cast<const uint8_t*>(operand_.data);
    const int64_t stride = used_ / operand_.m, size = (k + 31) / 32 * 48;
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < operand_.m; ++i) {
      bytes.insert(bytes.end(), data + i * stride, data + i * stride + size);
    }
    return bytes;
  }

 private:
  std::vector<uint8_t> bytes_;
  int64_t used_;
  LinearOperand operand_;
};

TEST_P(RowProducts, EqualFloat64OfRoundedOperands) {
  for (const Shape& s : kShapes) {
    const cases::TestWeight w = cases::MakeWeight(DType::kBF16, s.n, s.k, 3);
    const cases::PackedWeight packed(kernels(), kernels().weight_layout, w);
    const std::vector<float> bias = Uniform(s.n, 4);
    for (int64_t m : kRows) {
      std::vector<float> x = Uniform(m * s.k, 5);
      for (float& v : x) v = Bf16ToFloat(FloatToBf16(v));
      const Operand operand(kernels(), LinearPlan::kBf16Panels, x, m, s.k);
      RowProduct p{LinearPlan::kBf16Panels, packed.view(), bias.data(), operand.data(), m};
      const int64_t ldy = s.n + 3;
      std::vector<float> y(static_cast<size_t>(m * ldy), 2.5f);
      p.y = y.data();
      p.ldy = ldy;
      p.accumulate = m % 2 == 1;
      kernels().row_product_bf16(p, 0, kernels().linear_units(p.w));
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < ldy; ++j) {
          if (j >= s.n) {  // nothing is written past a row
            ASSERT_EQ(y[i * ldy + j], 2.5f);
            continue;
          }
          double want = bias[j] + (p.accumulate ? 2.5 : 0.0), size = 4.0;
          for (int64_t c = 0; c < s.k; ++c) {
            const double term = double{x[i * s.k + c]} * w.values[j * s.k + c];
            want += term;
            size += std::fabs(term);
          }
          ASSERT_NEAR(y[i * ldy + j], want, size * static_cast<double>(s.k + 4) * 0x1p-24)
              << s.n << "x" << s.k << " rows " << m << " at " << i << ", " << j;
        }
      }
    }
  }
}

// An operand is what linear_prepare makes of the fp32 result; activations are the row kernel's.
TEST_P(RowProducts, OperandIsThePreparedResult) {
  for (const Shape& s : kShapes) {
    const cases::TestWeight w = cases::MakeWeight(DType::kBF16, s.n, s.k, 3);
    const cases::PackedWeight packed(kernels(), kernels().weight_layout, w);
    const std::vector<float> bias = Uniform(s.n, 4);
    const int64_t m = 11;
    const std::vector<float> x = Uniform(m * s.k, 5);
    const Operand operand(kernels(), LinearPlan::kBf16Panels, x, m, s.k);
    RowProduct p{LinearPlan::kBf16Panels, packed.view(), bias.data(), operand.data(), m};
    std::vector<float> y(static_cast<size_t>(m * s.n));
    p.y = y.data();
    p.ldy = s.n;
    const int64_t units = kernels().linear_units(p.w);
    kernels().row_product_bf16(p, 0, units);
    kernels().activation(ActivationKind::kGeluTanh, y.data(), m * s.n, y.data());
    const Operand want(kernels(), LinearPlan::kBf16Panels, y, m, s.n);
    p.activate = kernels().activation;
    p.activation = ActivationKind::kGeluTanh;
    const Operand got(kernels(), LinearPlan::kBf16Panels, m, s.n);
    p.operand = got.data();
    // In two parts, as two workers would.
    kernels().row_product_bf16(p, 0, units / 2);
    kernels().row_product_bf16(p, units / 2, units);
    ASSERT_EQ(got.Bf16Values(GetParam(), s.n), want.Bf16Values(GetParam(), s.n))
        << s.n << "x" << s.k;
  }
}

// The arithmetic of linear_compute under the same plan: exact sums of blocks, then fp32.
TEST(RowProductsOfBytes, EqualTheProductOfFewRows) {
  for (Isa isa : SupportedIsas()) {
    const KernelTable& k = KernelsFor(isa);
    if (k.row_product_int8 == nullptr) continue;
    for (const Shape& s : {Shape{1, 32}, Shape{33, 64}, Shape{80, 160}, Shape{275, 320}}) {
      const cases::TestWeight w = cases::MakeWeight(DType::kQ8_0, s.n, s.k, 3);
      const cases::PackedWeight packed(k, k.weight_layout, w);
      const std::vector<float> bias = Uniform(s.n, 4);
      for (int64_t m : kRows) {
        const std::vector<float> x = Uniform(m * s.k, 5, 3.0f);
        const Operand operand(k, LinearPlan::kDigits1, x, m, s.k);
        std::vector<float> want(static_cast<size_t>(m * s.n)), got(want.size(), 1.5f);
        std::vector<uint8_t> scratch(
            static_cast<size_t>(k.linear_scratch_bytes(LinearPlan::kDigits1, m, s.k)) + 64);
        const int64_t units = k.linear_units(packed.view());
        k.linear_compute(packed.view(), {LinearPlan::kDigits1, m, s.k, operand.data()}, 0, units,
                         {want.data(), s.n, bias.data(), false}, scratch.data());
        RowProduct p{LinearPlan::kDigits1, packed.view(), bias.data(), operand.data(), m};
        p.y = got.data();
        p.ldy = s.n;
        k.row_product_int8(p, 0, units);
        const float tolerance = static_cast<float>(s.k) * 3 * 4 * 0x1p-23f;
        for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << s.n;
        // The operand of the next product, from the same sums.
        const Operand next_want(k, LinearPlan::kDigits1, got, m, s.n),
            next(k, LinearPlan::kDigits1, m, s.n);
        p.operand = next.data();
        p.prepare = k.linear_prepare;
        k.row_product_int8(p, 0, units);
        ASSERT_EQ(next.Bytes(s.n), next_want.Bytes(s.n)) << s.n << "x" << s.k << " rows " << m;
      }
    }
  }
}

}  // namespace
}  // namespace galen
