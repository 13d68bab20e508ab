// Inputs that a tape does not keep: the bits of the ops that make them, and less memory.
#include "ops/linear_input.h"

#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

// y = residual + norm(down(act(gate) * up)), gate and up products of a normalised x.
class LinearInputTest : public OpsTest {
 protected:
  static constexpr int64_t kRows = 70, kHidden = 32, kInner = 96;

  struct Outcome {
    std::vector<float> y, dx;
    std::vector<std::vector<float>> grads;
    int64_t kept;  // bytes of the arena before the pass back
  };

  std::vector<float> x_ = Uniform(kRows * kHidden, 1, 2.0f);
  std::vector<float> norm_ = Uniform(kHidden, 2), post_norm_ = Uniform(kHidden, 3);
  std::vector<float> gate_ = Uniform(kInner * kHidden, 4), up_ = Uniform(kInner * kHidden, 5);
  std::vector<float> down_ = Uniform(kHidden * kInner, 6);

  // grads: of norm, post_norm, gate, up, down.
  Tensor Forward(ExecContext& c, bool made, std::vector<std::vector<float>>* grads) {
    const auto grad = [&](size_t i) { return grads == nullptr ? nullptr : (*grads)[i].data(); };
    const VectorParam norm{norm_.data(), kHidden, grad(0)};
    const VectorParam post_norm{post_norm_.data(), kHidden, grad(1)};
    const Weight gate = Dense(gate_, kInner, kHidden, grad(2));
    const Weight up = Dense(up_, kInner, kHidden, grad(3));
    const Weight down = Dense(down_, kHidden, kInner, grad(4));
    const Tensor x = Wrap(x_, {kRows, kHidden});
    const Weight* list[] = {&gate, &up};
    Tensor y[2];
    const LinearInput normed = LinearInput::Normed(x, norm, 0.5f);
    Linears(c, made ? normed : normed.Whole(c), list, {}, y);
    const LinearInput gated = LinearInput::Gated(GateKind::kGeluTanh, y[0], y[1]);
    const Tensor out = Linear(c, made ? gated : gated.Whole(c), down);
    if (made) return RmsNormAdd(c, x, out, post_norm, 0.5f);
    return Add(c, x, RmsNorm(c, out, post_norm, 0.5f));
  }

  Outcome Run(bool made) {
    const ArenaScope scope(ctx.arena);
    Outcome outcome;
    for (const int64_t n : {kHidden, kHidden, kInner * kHidden, kInner * kHidden, kHidden * kInner})
      outcome.grads.emplace_back(n);
    Tape tape;
    const Tensor x = Wrap(x_, {kRows, kHidden});
    tape.Watch(x);
    ctx.tape = &tape;
    const int64_t mark = ctx.arena->mark();
    const Tensor y = Forward(ctx, made, &outcome.grads);
    ctx.tape = nullptr;
    outcome.y = Values(y);
    outcome.kept = ctx.arena->mark() - mark;
    GradMap grads(ctx.arena);
    std::vector<float> dy = Uniform(kRows * kHidden, 7);
    grads.Set(y, dy.data());
    tape.Run(ctx, grads);
    const float* dx = grads.Find(x);
    outcome.dx.assign(dx, dx + kRows * kHidden);
    return outcome;
  }
};

TEST_P(LinearInputTest, SameBitsAsTheOpsAndLessMemory) {
  for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
    ctx.compute = compute;
    const Outcome whole = Run(false), made = Run(true);
    EXPECT_EQ(whole.y, made.y);
    EXPECT_EQ(whole.dx, made.dx);
    for (size_t i = 0; i < whole.grads.size(); ++i) {
      EXPECT_EQ(whole.grads[i], made.grads[i]) << i;
      EXPECT_NE(whole.grads[i], std::vector<float>(whole.grads[i].size())) << i;
    }
    const int64_t saved = kRows * (kInner + 2 * kHidden) * static_cast<int64_t>(sizeof(float));
    EXPECT_LE(made.kept, whole.kept - saved + 1024);         // the records are larger
    EXPECT_EQ(made.y, Values(Forward(ctx, true, nullptr)));  // without a tape
  }
}

TEST_P(LinearInputTest, FrozenWeightsPassTheGradientOn) {
  const ArenaScope scope(ctx.arena);
  std::vector<std::vector<float>> with;
  for (const bool made : {false, true}) {
    Tape tape;
    const Tensor x = Wrap(x_, {kRows, kHidden});
    tape.Watch(x);
    ctx.tape = &tape;
    const Tensor y = Forward(ctx, made, nullptr);
    ctx.tape = nullptr;
    GradMap grads(ctx.arena);
    std::vector<float> dy = Uniform(kRows * kHidden, 7);
    grads.Set(y, dy.data());
    tape.Run(ctx, grads);
    const float* dx = grads.Find(x);
    with.emplace_back(dx, dx + kRows * kHidden);
  }
  EXPECT_EQ(with[0], with[1]);
}

// Nothing before the norm wants a gradient: its scale does.
TEST_P(LinearInputTest, ScaleOfANormAlone) {
  const ArenaScope scope(ctx.arena);
  std::vector<std::vector<float>> with;
  for (const bool made : {false, true}) {
    std::vector<float> dnorm(kHidden);
    const VectorParam norm{norm_.data(), kHidden, dnorm.data()};
    const Weight gate = Dense(gate_, kInner, kHidden, nullptr);
    Tape tape;
    ctx.tape = &tape;
    const LinearInput normed = LinearInput::Normed(Wrap(x_, {kRows, kHidden}), norm, 0.5f);
    const Tensor y = Linear(ctx, made ? normed : normed.Whole(ctx), gate);
    ctx.tape = nullptr;
    GradMap grads(ctx.arena);
    std::vector<float> dy = Uniform(kRows * kInner, 7);
    grads.Set(y, dy.data());
    tape.Run(ctx, grads);
    with.push_back(dnorm);
  }
  EXPECT_EQ(with[0], with[1]);
  EXPECT_NE(with[0], std::vector<float>(kHidden));
}

INSTANTIATE_TEST_SUITE_P(Isas, LinearInputTest, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

}  // namespace
}  // namespace galen
