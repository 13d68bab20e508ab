#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

TEST(Tape, RecordsOnlyWhatATrainedParameterNeeds) {
  TestContext context(Isa::kRef);
  ExecContext& ctx = context.ctx;
  Tape tape;
  ctx.tape = &tape;
  std::vector<float> x = Uniform(12, 1), w = Uniform(16, 2), dw(16), scale = Uniform(4, 3);
  const Tensor in = Wrap(x, {3, 4});
  const Weight frozen = Dense(w, 4, 4, nullptr), trained = Dense(w, 4, 4, dw.data());
  const VectorParam norm{scale.data(), 4, nullptr};
  const Tensor a = RmsNorm(ctx, Linear(ctx, in, frozen), norm, 1e-6f);
  EXPECT_EQ(tape.num_records(), 0);
  EXPECT_FALSE(tape.Needs(a));
  const Tensor b = Linear(ctx, a, trained);
  EXPECT_EQ(tape.num_records(), 1);
  EXPECT_TRUE(tape.Needs(b));
  const Tensor c = RmsNorm(ctx, b, norm, 1e-6f);
  EXPECT_EQ(tape.num_records(), 2);
  GradMap grads(ctx.arena);
  std::vector<float> dc = Uniform(12, 4);
  grads.Set(c, dc.data());
  tape.Run(ctx, grads);
  EXPECT_EQ(grads.Find(a), nullptr);  // nobody asked for it
  EXPECT_NE(*std::max_element(dw.begin(), dw.end()), 0.0f);
}

TEST(Tape, OutputsThatTheLossDoesNotUseHaveNoGradient) {
  TestContext context(Isa::kRef);
  ExecContext& ctx = context.ctx;
  Tape tape;
  ctx.tape = &tape;
  std::vector<float> x = Uniform(8, 1), w = Uniform(12, 2), d0(12), d1(12);
  const Weight used = Dense(w, 3, 4, d0.data()), unused = Dense(w, 3, 4, d1.data());
  const Weight* list[] = {&used, &unused};
  Tensor y[2];
  Linears(ctx, Wrap(x, {2, 4}), list, {}, y);
  RmsNorm(ctx, y[1], VectorParam{x.data(), 3, nullptr}, 1e-6f);
  const std::vector<int32_t> targets = {1, 2};
  const Tensor loss = CrossEntropy(ctx, y[0], targets);
  GradMap grads(ctx.arena);
  tape.Backward(ctx, loss, grads);
  EXPECT_NE(d0, std::vector<float>(12));
  EXPECT_EQ(d1, std::vector<float>(12));
}

TEST(Tape, GradientsOfParametersAddUpOverPasses) {
  TestContext context(Isa::kRef);
  ExecContext& ctx = context.ctx;
  std::vector<float> x = Uniform(8, 1), w = Uniform(12, 2), once(12), twice(12);
  const std::vector<int32_t> targets = {1, 2};
  const auto pass = [&](float* grad) {
    Tape tape;
    ctx.tape = &tape;
    GradMap grads(ctx.arena);
    const Tensor loss =
        CrossEntropy(ctx, Linear(ctx, Wrap(x, {2, 4}), Dense(w, 3, 4, grad)), targets);
    tape.Backward(ctx, loss, grads);
    ctx.tape = nullptr;
  };
  pass(once.data());
  pass(twice.data());
  pass(twice.data());
  for (int i = 0; i < 12; ++i) EXPECT_FLOAT_EQ(twice[i], 2 * once[i]);
}

TEST(Tape, NoCountedTargetGivesZeroAndNoGradient) {
  TestContext context(Isa::kRef);
  ExecContext& ctx = context.ctx;
  Tape tape;
  ctx.tape = &tape;
  std::vector<float> x = Uniform(6, 1);
  tape.Watch(Wrap(x, {2, 3}));
  const std::vector<int32_t> targets = {-100, -100};
  const Tensor loss = CrossEntropy(ctx, Wrap(x, {2, 3}), targets);
  EXPECT_EQ(*loss.f32(), 0.0f);
  EXPECT_EQ(tape.num_records(), 0);
}

// A training step is the same to the bit whatever the number of workers.
TEST(Tape, BitsDoNotDependOnTheWorkers) {
  for (Isa isa : SupportedIsas()) {
    const int64_t m = 150, k = 300, n = 70;
    std::vector<float> x = Uniform(m * k, 1), w = Uniform(n * k, 2), scale = Uniform(k, 3);
    std::vector<int32_t> targets(m);
    for (int64_t i = 0; i < m; ++i) targets[i] = static_cast<int32_t>(i % 7 == 0 ? -100 : i % n);
    std::vector<float> first;
    for (int workers : {1, 2, 3}) {
      TestContext context(isa, workers);
      ExecContext& ctx = context.ctx;
      Tape tape;
      ctx.tape = &tape;
      tape.Watch(Wrap(x, {m, k}));
      std::vector<float> dw(n * k), dscale(k);
      const Tensor normed =
          RmsNorm(ctx, Wrap(x, {m, k}), VectorParam{scale.data(), k, dscale.data()}, 1e-6f);
      const Tensor logits = Linear(ctx, normed, Dense(w, n, k, dw.data()));
      const Tensor loss = CrossEntropy(ctx, logits, targets);
      GradMap grads(ctx.arena);
      tape.Backward(ctx, loss, grads);
      std::vector<float> all = Values(logits);
      all.push_back(*loss.f32());
      all.insert(all.end(), dw.begin(), dw.end());
      all.insert(all.end(), dscale.begin(), dscale.end());
      const float* dx = grads.Find(Wrap(x, {m, k}));
      ASSERT_NE(dx, nullptr);
      all.insert(all.end(), dx, dx + m * k);
      if (first.empty()) first = all;
      ASSERT_EQ(all, first) << IsaName(isa) << " " << workers;
    }
  }
}

}  // namespace
}  // namespace galen
