// Blocks on a tape, kept or computed again, and the output head with its loss in one.
#include "ops/block.h"

#include "ops/lora_ops.h"
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

// x + down(act(gate(x)) * up(x)), the output of which may take the place of x.
struct TestBlock {
  const Weight* gate;
  const Weight* up;
  const Weight* down;
};
Tensor ForwardBlock(ExecContext& ctx, const TestBlock& b, const Tensor& x) {
  const Tensor y =
      Add(ctx, x,
          Linear(ctx, GateMul(ctx, GateKind::kSilu, Linear(ctx, x, *b.gate), Linear(ctx, x, *b.up)),
                 *b.down));
  if (ctx.tape != nullptr) return y;
  std::copy_n(y.f32(), y.num_elements(), x.f32());
  return x;
}

class BlockTest : public OpsTest {
 protected:
  static constexpr int64_t kRows = 37, kHidden = 32, kInner = 48, kBlocks = 3, kVocab = 40;
  enum class Mode { kPlain, kBlocks, kRecompute };
  struct Outcome {
    float loss;
    std::vector<std::vector<float>> grads;
    int64_t kept;  // bytes of the arena before the pass back
  };

  Outcome Run(Mode mode, bool fused_head) {
    const ArenaScope scope(ctx.arena);
    Outcome outcome;
    std::vector<std::vector<float>> values;
    for (int64_t i = 0; i < 3 * kBlocks; ++i) values.push_back(Uniform(kInner * kHidden, 10 + i));
    std::vector<float> head_values = Uniform(kVocab * kHidden, 3), x = Uniform(kRows * kHidden, 4);
    for (const auto& v : values) outcome.grads.emplace_back(v.size());
    outcome.grads.emplace_back(head_values.size());
    std::vector<Weight> weights;
    for (int64_t i = 0; i < 3 * kBlocks; ++i) {
      const bool down = i % 3 == 2;
      weights.push_back(Dense(values[i], down ? kHidden : kInner, down ? kInner : kHidden,
                              outcome.grads[i].data()));
    }
    const Weight head = Dense(head_values, kVocab, kHidden, outcome.grads.back().data());
    std::vector<int32_t> targets(kRows);
    for (int64_t i = 0; i < kRows; ++i) targets[i] = i % 5 == 0 ? -100 : static_cast<int32_t>(i);
    const auto counted = static_cast<double>(
        std::count_if(targets.begin(), targets.end(), [](int t) { return t >= 0; }));
    Tape tape;
    ctx.tape = &tape;
    ctx.recompute = mode == Mode::kRecompute;
    Tensor y = Wrap(x, {kRows, kHidden});
    for (int64_t i = 0; i < kBlocks; ++i) {
      const TestBlock block{&weights[3 * i], &weights[3 * i + 1], &weights[3 * i + 2]};
      y = mode == Mode::kPlain ? ForwardBlock(ctx, block, y)
                               : RunBlock<ForwardBlock>(ctx, block, y);
    }
    const Tensor loss = fused_head ? HeadCrossEntropy(ctx, y, head, targets, counted)
                                   : CrossEntropy(ctx, Linear(ctx, y, head), targets);
    outcome.loss = *loss.f32();
    outcome.kept = ctx.arena->mark();
    GradMap grads(ctx.arena);
    tape.Backward(ctx, loss, grads);
    ctx.tape = nullptr;
    ctx.recompute = false;
    return outcome;
  }
};

TEST_P(BlockTest, SameBitsWhetherKeptOrComputedAgain) {
  for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
    ctx.compute = compute;
    ctx.batch_invariant = true;
    const Outcome plain = Run(Mode::kPlain, true);
    const Outcome blocks = Run(Mode::kBlocks, true);
    const Outcome again = Run(Mode::kRecompute, true);
    EXPECT_EQ(plain.loss, blocks.loss);
    EXPECT_EQ(plain.loss, again.loss);
    for (size_t i = 0; i < plain.grads.size(); ++i) {
      EXPECT_EQ(plain.grads[i], blocks.grads[i]) << i;
      EXPECT_EQ(plain.grads[i], again.grads[i]) << i;
      EXPECT_NE(plain.grads[i], std::vector<float>(plain.grads[i].size())) << i;
    }
    EXPECT_LT(again.kept, blocks.kept);
  }
}

TEST_P(BlockTest, HeadAndLossInOneEqualTheTwoOps) {
  const Outcome fused = Run(Mode::kBlocks, true);
  const Outcome apart = Run(Mode::kBlocks, false);
  EXPECT_NEAR(fused.loss, apart.loss, 1e-6f * apart.loss);
  for (size_t i = 0; i < fused.grads.size(); ++i) {
    double difference = 0, size = 0;
    for (size_t j = 0; j < fused.grads[i].size(); ++j) {
      difference += std::pow(fused.grads[i][j] - apart.grads[i][j], 2);
      size += std::pow(apart.grads[i][j], 2);
    }
    EXPECT_LE(std::sqrt(difference), 1e-6 * std::sqrt(size)) << i;
  }
}

TEST_P(BlockTest, OneWorkerAndTwoGiveTheSameBits) {
  TestContext alone(GetParam(), 1);
  for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
    ctx.compute = alone.ctx.compute = compute;
    ctx.batch_invariant = alone.ctx.batch_invariant = true;
    const Outcome two = Run(Mode::kRecompute, true);
    std::swap(ctx.pool, alone.ctx.pool);
    const Outcome one = Run(Mode::kRecompute, true);
    std::swap(ctx.pool, alone.ctx.pool);
    EXPECT_EQ(one.loss, two.loss);
    EXPECT_EQ(one.grads, two.grads);
  }
}

TEST_P(BlockTest, DropoutKeepsTheMeanAndItsMaskOnTheWayBack) {
  constexpr int64_t kSize = 200 * 100;
  constexpr float kRate = 0.3f;
  std::vector<float> ones(kSize, 1.0f), dy = Uniform(kSize, 5);
  const Tensor x = Wrap(ones, {200, 100});
  ctx.dropout_key = 77;
  Tape tape;
  tape.Watch(x);
  ctx.tape = &tape;
  const Tensor y = Dropout(ctx, x, kRate, 3);
  GradMap grads(ctx.arena);
  grads.Set(y, dy.data());
  tape.Run(ctx, grads);
  ctx.tape = nullptr;
  const float* dx = grads.Find(x);
  int64_t zeros = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    zeros += y.f32()[i] == 0.0f;
    EXPECT_TRUE(y.f32()[i] == 0.0f || std::fabs(y.f32()[i] - 1.0f / (1.0f - kRate)) < 1e-6f);
    EXPECT_FLOAT_EQ(dx[i], dy[static_cast<size_t>(i)] * y.f32()[i]);
  }
  // Five deviations of a binomial count.
  EXPECT_NEAR(static_cast<double>(zeros), kSize * kRate,
              5 * std::sqrt(kSize * kRate * (1 - kRate)));
  EXPECT_EQ(Values(Dropout(ctx, x, kRate, 3)), Values(y));
  EXPECT_NE(Values(Dropout(ctx, x, kRate, 4)), Values(y));
  ctx.dropout_key = 78;
  EXPECT_NE(Values(Dropout(ctx, x, kRate, 3)), Values(y));
  ctx.dropout_key = 0;
}

INSTANTIATE_TEST_SUITE_P(Isas, BlockTest, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

}  // namespace
}  // namespace galen
