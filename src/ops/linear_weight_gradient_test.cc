#include "ops/linear_gradients.h"
#include "ops/op_test_util.h"
#include "tensor/dtype.h"

namespace galen {
namespace {

using cases::Uniform;

class WeightGradient : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, WeightGradient, ::testing::ValuesIn(SupportedIsas()),
                         IsaTestName);

float Rounded(float value) { return Bf16ToFloat(FloatToBf16(value)); }

// Of odd shapes: more rows than a block, few columns (worked out as the transpose), tokens that are
// no whole block. Sums of m products of rounded values, each fp32 sum off by less than m units of
// the terms' sizes, on top of what dw held.
TEST_P(WeightGradient, ThroughBf16IsTheSumOfRoundedProducts) {
  const struct {
    int64_t m, n, k;
  } shapes[] = {{1, 3, 5},    {7, 64, 96},    {50, 16, 300},  {129, 300, 16}, {96, 33, 31},
                {40, 65, 63}, {61, 1100, 70}, {530, 40, 200}, {33, 1, 640},   {20, 640, 1}};
  for (const auto& [m, n, k] : shapes) {
    const std::vector<float> dy = Uniform(m * n, 1), x = Uniform(m * k, 2),
                             before = Uniform(n * k, 3);
    std::vector<float> first;
    for (const int workers : {1, 2, 3}) {
      TestContext context(GetParam(), workers);
      context.ctx.compute = Compute::kBf16;
      std::vector<float> dw = before;
      LinearWeightGradient(context.ctx, dy.data(), x.data(), m, n, k, dw.data());
      if (workers > 1) {
        ASSERT_EQ(dw, first) << m << " " << n << " " << k;  // the same bits
        continue;
      }
      first = dw;
      const bool rounds = context.ctx.kernels->linear_backward_input_bf16 != nullptr;
      for (int64_t i = 0; i < n * k; ++i) {
        double sum = 0, size = std::fabs(before[i]);
        for (int64_t t = 0; t < m; ++t) {
          const float a = dy[t * n + i / k], b = x[t * k + i % k];
          const double product =
              rounds ? static_cast<double>(Rounded(a)) * Rounded(b) : static_cast<double>(a) * b;
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_NEAR(dw[i], before[i] + sum, size * static_cast<double>(m + 2) * 0x1p-24)
            << m << " " << n << " " << k << " at " << i;
      }
    }
  }
}

// The plan holds what is taken.
TEST_P(WeightGradient, PlanHolds) {
  for (const int64_t n : {5, 64, 1500}) {
    for (const int64_t k : {3, 64, 700}) {
      const int64_t m = 77, plan = LinearWeightGradientBytes(*ctx.kernels, 2, m,
                                                             std::max<int64_t>({n, k, 64}));
      if (plan == 0) return;
      auto arena = Arena::Create(plan);
      ASSERT_TRUE(arena.ok());
      ctx.arena = &*arena;
      ctx.compute = Compute::kBf16;
      const std::vector<float> dy = Uniform(m * n, 1), x = Uniform(m * k, 2);
      std::vector<float> dw(static_cast<size_t>(n * k));
      LinearWeightGradient(ctx, dy.data(), x.data(), m, n, k, dw.data());
      EXPECT_LE(arena->high_water(), plan);
    }
  }
}

}  // namespace
}  // namespace galen
