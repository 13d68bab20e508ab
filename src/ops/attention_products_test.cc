#include "ops/attention_products.h"

#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class AttentionProducts : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, AttentionProducts, ::testing::ValuesIn(SupportedIsas()),
                         IsaTestName);

double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / size);
}

struct Results {
  std::vector<float> out, dq, dk, dv;
};

// Through bf16 against fp32. Each value that is rounded is off by up to 2^-9, and on average by
// less than 2^-9 / sqrt(3); the two or three roundings on each way are independent, so that norms
// differ by less than 2^-8, sums of differences (dscores) by a few times that.
TEST_P(AttentionProducts, AreTheFp32FormToBf16) {
  const struct {
    int64_t heads, groups, head_dim, window;
    bool images;
  } shapes[] = {
      {4, 2, 32, 0, false}, {2, 1, 72, 40, false}, {3, 3, 64, 0, true}, {4, 1, 48, 100, true}};
  const AttentionSpan spans[] = {{0, 130, 0, {}}, {130, 150, 0, {}}, {150, 407, 0, {}}};
  constexpr int64_t kTokens = 407;
  std::vector<int32_t> look_ahead(kTokens, -1);
  std::fill_n(look_ahead.begin() + 20, 64, 83);
  std::fill_n(look_ahead.begin() + 150 + 100, 30, 129);
  for (const auto& c : shapes) {
    const AttentionShape shape{c.heads,    c.groups,
                               c.head_dim, 1 / std::sqrt(static_cast<float>(c.head_dim)),
                               c.window,   KvType::kF32};
    const int64_t q_size = kTokens * c.heads * c.head_dim,
                  kv_size = kTokens * c.groups * c.head_dim;
    std::vector<float> q = Uniform(q_size, 1), k = Uniform(kv_size, 2), v = Uniform(kv_size, 3);
    std::vector<float> r = Uniform(q_size, 4);
    const auto run = [&](Compute compute, int workers) {
      TestContext context(GetParam(), workers);
      context.ctx.compute = compute;
      Tape tape;
      GradMap grads(context.ctx.arena);
      const Tensor tq = Wrap(q, {kTokens, c.heads, c.head_dim});
      const Tensor tk = Wrap(k, {kTokens, c.groups, c.head_dim});
      const Tensor tv = Wrap(v, {kTokens, c.groups, c.head_dim});
      for (const Tensor& t : {tq, tk, tv}) tape.Watch(t);
      context.ctx.tape = &tape;
      const Tensor out =
          Attention(context.ctx, shape, spans, tq, tk, tv, c.images ? look_ahead.data() : nullptr);
      grads.Set(out, r.data());
      tape.Run(context.ctx, grads);
      const auto gradient = [&](const Tensor& t) {
        return std::vector<float>(grads.Find(t), grads.Find(t) + t.num_elements());
      };
      return Results{Values(out), gradient(tq), gradient(tk), gradient(tv)};
    };
    const Results exact = run(Compute::kFp32, 1), got = run(Compute::kBf16, 1),
                  two = run(Compute::kBf16, 2);
    EXPECT_LT(Distance(got.out, exact.out), 0x1p-8);
    EXPECT_LT(Distance(got.dq, exact.dq), 0x1p-7);
    EXPECT_LT(Distance(got.dk, exact.dk), 0x1p-7);
    EXPECT_LT(Distance(got.dv, exact.dv), 0x1p-7);
    EXPECT_EQ(got.out, two.out);
    EXPECT_EQ(got.dq, two.dq);
    EXPECT_EQ(got.dk, two.dk);
    EXPECT_EQ(got.dv, two.dv);
    if (UsesAttentionProducts(*ctx.kernels, Compute::kBf16, 130)) {
      EXPECT_NE(got.out, exact.out);
      // The short span is computed in fp32.
      const auto row = c.heads * c.head_dim;
      EXPECT_TRUE(std::equal(got.out.begin() + 130 * row, got.out.begin() + 150 * row,
                             exact.out.begin() + 130 * row));
    }
  }
}

}  // namespace
}  // namespace galen
