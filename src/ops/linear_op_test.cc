// The orchestration of shared products: several weights, formats, biases and plans in one pass over
// the pool.
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class LinearOp : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, LinearOp, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

// One weight alone on one worker says what a shared product on any number of workers must be, to
// the bit.
TEST_P(LinearOp, SharedProductsEqualSingleOnes) {
  const int64_t k = 512;
  const DType formats[] = {DType::kQ4_K, DType::kF32, DType::kQ6_K, DType::kBF16};
  const int64_t rows[] = {300, 17, 128, 1};
  std::vector<cases::TestWeight> weights;
  std::vector<std::unique_ptr<cases::PackedWeight>> packed;
  std::vector<Weight> views;
  for (int i = 0; i < 4; ++i) {
    weights.push_back(cases::MakeWeight(formats[i], rows[i], k, i));
    packed.push_back(std::make_unique<cases::PackedWeight>(*ctx.kernels, ctx.kernels->weight_layout,
                                                           weights.back()));
    views.push_back({packed.back()->view()});
  }
  std::vector<float> b0 = Uniform(300, 9), b3 = Uniform(1, 10);
  const VectorParam bias0{b0.data(), 300}, none{}, bias3{b3.data(), 1};
  const Weight* list[] = {&views[0], &views[1], &views[2], &views[3]};
  const VectorParam* biases[] = {&bias0, nullptr, &none, &bias3};
  for (int64_t m : {1, 2, 5, 40, 129}) {
    std::vector<float> x = Uniform(m * k, m);
    for (Compute compute : {Compute::kFp32, Compute::kBf16, Compute::kInt8}) {
      TestContext single(GetParam(), 1);
      single.ctx.compute = compute;
      for (int workers : {1, 2, 3}) {
        TestContext shared(GetParam(), workers);
        shared.ctx.compute = compute;
        Tensor y[4];
        Linears(shared.ctx, Wrap(x, {m, k}), list, biases, y);
        for (int j = 0; j < 4; ++j) {
          const Tensor alone = Linear(single.ctx, Wrap(x, {m, k}), *list[j], biases[j]);
          ASSERT_EQ(y[j].rows(), m);
          ASSERT_EQ(y[j].cols(), rows[j]);
          ASSERT_EQ(Values(y[j]), Values(alone))
              << "m " << m << " weight " << j << " workers " << workers;
        }
      }
    }
  }
}

TEST_P(LinearOp, ScratchIsGivenBack) {
  std::vector<float> x = Uniform(64 * 256, 1), w = Uniform(32 * 256, 2);
  const Weight weight{
      {reinterpret_cast<const uint8_t*>(w.data()), DType::kF32, WeightLayout::kRows, 32, 256}};
  const int64_t before = ctx.arena->mark();
  Linear(ctx, Wrap(x, {64, 256}), weight);
  EXPECT_EQ(ctx.arena->mark() - before, 64 * 32 * 4);
}

TEST_P(LinearOp, NoRowsIsNoWork) {
  std::vector<float> w = Uniform(32 * 16, 2);
  const Weight weight{
      {reinterpret_cast<const uint8_t*>(w.data()), DType::kF32, WeightLayout::kRows, 32, 16}};
  const Tensor y = Linear(ctx, ctx.arena->NewTensor({0, 16}), weight);
  EXPECT_EQ(y.rows(), 0);
  EXPECT_EQ(y.cols(), 32);
}

TEST_P(LinearOp, WrongShapesAreRefused) {
  std::vector<float> x = Uniform(16, 1), w = Uniform(64, 2);
  const Weight weight{
      {reinterpret_cast<const uint8_t*>(w.data()), DType::kF32, WeightLayout::kRows, 4, 16}};
  const VectorParam bias{x.data(), 3};
  EXPECT_THROW(Linear(ctx, Wrap(x, {2, 8}), weight), InternalError);
  EXPECT_THROW(Linear(ctx, Wrap(x, {1, 16}), weight, &bias), InternalError);
  const std::vector<int32_t> ids = {4};
  EXPECT_THROW(Embedding(ctx, weight, ids, 1.0f), InternalError);
}

// Embedding reads the rows of a packed table; enough of them to be spread over the pool.
TEST_P(LinearOp, EmbeddingOfAPackedTable) {
  const cases::TestWeight table = cases::MakeWeight(DType::kQ6_K, 50, 768, 3);
  const cases::PackedWeight packed(*ctx.kernels, ctx.kernels->weight_layout, table);
  std::vector<int32_t> ids(40);
  for (int i = 0; i < 40; ++i) ids[i] = (i * 13) % 50;
  const Tensor y = Embedding(ctx, Weight{packed.view()}, ids, 2.0f);
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t j = 0; j < 768; ++j) {
      // A q6_k value is code * scale: two products, whose order may differ.
      const float want = 2.0f * table.values[ids[i] * 768 + j];
      ASSERT_NEAR(y.row(i)[j], want, 4 * 0x1p-24f * std::fabs(want));
    }
  }
}

}  // namespace
}  // namespace galen
