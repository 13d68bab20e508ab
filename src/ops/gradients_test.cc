// Finite differences for every op, on every instruction set.
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class Gradients : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, Gradients, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

Weight DenseWeight(std::vector<float>& values, int64_t rows, int64_t cols,
                   std::vector<float>* grad) {
  grad->assign(values.size(), 0.0f);
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  return {{bytes, DType::kF32, WeightLayout::kRows, rows, cols}, grad->data()};
}

TEST_P(Gradients, Linears) {
  for (int64_t m : {1, 5, 19}) {
    const int64_t k = 35, n0 = 18, n1 = 5;
    std::vector<float> x = Uniform(m * k, 1), w0 = Uniform(n0 * k, 2), w1 = Uniform(n1 * k, 3),
                       b0 = Uniform(n0, 4);
    std::vector<float> dw0, dw1, db0(n0);
    const Weight weights[] = {DenseWeight(w0, n0, k, &dw0), DenseWeight(w1, n1, k, &dw1)};
    const VectorParam bias{b0.data(), n0, db0.data()};
    // Both outputs meet in a product, so that one backward pass goes through both.
    const auto forward = [&](ExecContext& c) {
      const Weight* list[] = {&weights[0], &weights[1]};
      const VectorParam* biases[] = {&bias, nullptr};
      Tensor y[2];
      Linears(c, Wrap(x, {m, k}), list, biases, y);
      return Linear(c, y[0],
                    Weight{{reinterpret_cast<const uint8_t*>(w1.data()), DType::kF32,
                            WeightLayout::kRows, n1, n0}});
    };
    CheckGradients(ctx, forward, {{"x", &x}, {"w0", &w0, &dw0}, {"b0", &b0, &db0}}, kLinear);
    const auto second = [&](ExecContext& c) { return Linear(c, Wrap(x, {m, k}), weights[1]); };
    CheckGradients(ctx, second, {{"x", &x}, {"w1", &w1, &dw1}}, kLinear);
  }
}

TEST_P(Gradients, SharedInputOfSeveralWeights) {
  const int64_t m = 3, k = 40, n = 17;
  std::vector<float> x = Uniform(m * k, 1), w0 = Uniform(n * k, 2), w1 = Uniform(n * k, 3), dw0,
                     dw1;
  const Weight a = DenseWeight(w0, n, k, &dw0), b = DenseWeight(w1, n, k, &dw1);
  const auto forward = [&](ExecContext& c) {
    const Weight* list[] = {&a, &b};
    Tensor y[2];
    Linears(c, Wrap(x, {m, k}), list, {}, y);
    return Add(c, y[0], y[1]);
  };
  CheckGradients(ctx, forward, {{"x", &x}, {"w0", &w0, &dw0}, {"w1", &w1, &dw1}}, kLinear);
}

// Packed weights return the gradient of their input, in every format and both layouts.
TEST_P(Gradients, LinearOfPackedWeights) {
  for (DType dtype : cases::WeightFormats()) {
    const int64_t m = 2, k = std::max(32, FormatOf(dtype).block_elems), n = 21;
    const cases::TestWeight weight = cases::MakeWeight(dtype, n, k, 5);
    for (WeightLayout layout : cases::LayoutsOf(*ctx.kernels)) {
      SCOPED_TRACE(std::string(FormatOf(dtype).name) +
                   (layout == WeightLayout::kRows ? " rows" : " tile16"));
      const cases::PackedWeight packed(*ctx.kernels, layout, weight);
      const Weight w{packed.view()};
      std::vector<float> x = Uniform(m * k, 6);
      CheckGradients(
          ctx,
          [&](ExecContext& c) {
            return Linear(c, Wrap(x, {m, k}), w);
          },
          {{"x", &x}}, kLinear);
    }
  }
}

TEST_P(Gradients, RmsNorm) {
  for (int64_t cols : {1, 17, 33}) {
    const int64_t rows = 70;  // two chunks of the scale's gradient
    std::vector<float> x = Uniform(rows * cols, 1, 2.0f), w = Uniform(cols, 2), dw(cols);
    const VectorParam scale{w.data(), cols, dw.data()};
    // eps as large as the values, so that a row of one value has a slope.
    const auto forward = [&](ExecContext& c) {
      return RmsNorm(c, Wrap(x, {rows, cols}), scale, 0.5f);
    };
    CheckGradients(ctx, forward, {{"x", &x}, {"w", &w, &dw}}, kCurved);
  }
}

TEST_P(Gradients, RmsNormAdd) {
  const int64_t rows = 4, cols = 19;
  std::vector<float> x = Uniform(rows * cols, 1), r = Uniform(rows * cols, 2), w = Uniform(cols, 3),
                     dw(cols);
  const VectorParam scale{w.data(), cols, dw.data()};
  const auto forward = [&](ExecContext& c) {
    std::vector<float> copy = r;  // without a tape the op writes into it
    const Tensor residual = c.tape != nullptr ? Wrap(r, {rows, cols}) : Wrap(copy, {rows, cols});
    const Tensor y = RmsNormAdd(c, residual, Wrap(x, {rows, cols}), scale, 0.1f);
    Tensor kept = c.arena->NewTensor({rows, cols});
    std::copy_n(y.f32(), y.num_elements(), kept.f32());
    return c.tape != nullptr ? y : kept;
  };
  CheckGradients(ctx, forward, {{"x", &x}, {"residual", &r}, {"w", &w, &dw}}, kCurved);
}

TEST_P(Gradients, Rope) {
  for (int64_t head_dim : {2, 6, 34}) {
    const int64_t tokens = 3, heads = 2;
    std::vector<float> x = Uniform(tokens * heads * head_dim, 1),
                       table = Uniform(tokens * head_dim, 2);
    // x twice, so that its gradient is added to as well as made.
    const auto forward = [&](ExecContext& c) {
      const Tensor in = Wrap(x, {tokens, heads, head_dim}),
                   cos_sin = Wrap(table, {tokens, head_dim});
      return Add(c, Rope(c, in, cos_sin), Rope(c, in, cos_sin));
    };
    CheckGradients(ctx, forward, {{"x", &x}}, kLinear);
  }
}

TEST_P(Gradients, GateMul) {
  for (GateKind kind : {GateKind::kGeluTanh, GateKind::kSilu}) {
    const int64_t rows = 3, cols = 23;
    std::vector<float> gate = Uniform(rows * cols, 1, 4.0f), up = Uniform(rows * cols, 2);
    const auto forward = [&](ExecContext& c) {
      return GateMul(c, kind, Wrap(gate, {rows, cols}), Wrap(up, {rows, cols}));
    };
    CheckGradients(ctx, forward, {{"gate", &gate}, {"up", &up}}, kCurved);
  }
}

TEST_P(Gradients, AddOfATensorToItself) {
  std::vector<float> x = Uniform(37, 1);
  const auto forward = [&](ExecContext& c) { return Add(c, Wrap(x, {37}), Wrap(x, {37})); };
  CheckGradients(ctx, forward, {{"x", &x}}, kLinear);
}

TEST_P(Gradients, GatherRowsWithRepeats) {
  std::vector<float> x = Uniform(5 * 7, 1);
  const std::vector<int32_t> rows = {4, 0, 4, 2};
  const auto forward = [&](ExecContext& c) { return GatherRows(c, Wrap(x, {5, 7}), rows); };
  CheckGradients(ctx, forward, {{"x", &x}}, kLinear);
}

TEST_P(Gradients, EmbeddingWithRepeats) {
  std::vector<float> table = Uniform(6 * 9, 1), grad;
  const Weight w = DenseWeight(table, 6, 9, &grad);
  const std::vector<int32_t> ids = {5, 1, 5, 5, 0};
  CheckGradients(
      ctx, [&](ExecContext& c) { return Embedding(c, w, ids, 3.5f); }, {{"table", &table, &grad}},
      kLinear);
}

TEST_P(Gradients, CrossEntropy) {
  const int64_t rows = 6, cols = 41;
  std::vector<float> logits = Uniform(rows * cols, 1, 3.0f);
  const std::vector<int32_t> targets = {0, 40, -100, 7, 7, -100};
  const auto forward = [&](ExecContext& c) {
    return CrossEntropy(c, Wrap(logits, {rows, cols}), targets);
  };
  CheckGradients(ctx, forward, {{"logits", &logits}}, kCurved);
}

TEST_P(Gradients, Attention) {
  for (bool image : {false, true}) {
    for (int64_t window : {0, 3}) {
      const int64_t tokens = 11, heads = 4, groups = 2, head_dim = 6;
      const AttentionShape shape{heads, groups, head_dim, 0.7f, window, KvType::kF32};
      const AttentionSpan spans[] = {{0, 4, 0, {}}, {4, 11, 0, {}}};
      std::vector<float> q = Uniform(tokens * heads * head_dim, 1),
                         k = Uniform(tokens * groups * head_dim, 2);
      std::vector<float> v = Uniform(tokens * groups * head_dim, 3);
      // Positions 2..4 of the second span are one image.
      const std::vector<int32_t> look_ahead = {0, 0, 0, 0, 0, 0, 4, 4, 4, 0, 0};
      const auto forward = [&](ExecContext& c) {
        return Attention(c, shape, spans, Wrap(q, {tokens, heads, head_dim}),
                         Wrap(k, {tokens, groups, head_dim}), Wrap(v, {tokens, groups, head_dim}),
                         image ? look_ahead.data() : nullptr);
      };
      CheckGradients(ctx, forward, {{"q", &q}, {"k", &k}, {"v", &v}}, kCurved);
    }
  }
}

// A small model with a tied table: two records add to the same gradient, reshaped views share
// theirs.
TEST_P(Gradients, SmallModelWithTiedEmbedding) {
  const int64_t vocab = 11, hidden = 12, inner = 20, tokens = 4;
  std::vector<float> table = Uniform(vocab * hidden, 1), gate = Uniform(inner * hidden, 2),
                     up = Uniform(inner * hidden, 3);
  std::vector<float> down = Uniform(hidden * inner, 4), norm = Uniform(hidden, 5), dtable, dgate,
                     dup, ddown, dnorm(hidden);
  const Weight wt = DenseWeight(table, vocab, hidden, &dtable),
               wg = DenseWeight(gate, inner, hidden, &dgate);
  const Weight wu = DenseWeight(up, inner, hidden, &dup),
               wd = DenseWeight(down, hidden, inner, &ddown);
  const VectorParam scale{norm.data(), hidden, dnorm.data()};
  const std::vector<int32_t> ids = {3, 10, 3, 0}, rows = {1, 2, 3}, targets = {3, -100, 5};
  std::vector<float> angles = Uniform(tokens * 6, 6);
  const auto forward = [&](ExecContext& c) {
    const Tensor x = Embedding(c, wt, ids, 2.0f);
    const Tensor turned = Rope(c, x.Reshape({tokens, 2, 6}), Wrap(angles, {tokens, 6}));
    const Tensor normed = RmsNorm(c, turned.Reshape({tokens, hidden}), scale, 0.5f);
    const Weight* list[] = {&wg, &wu};
    Tensor y[2];
    Linears(c, normed, list, {}, y);
    const Tensor out = Linear(c, GateMul(c, GateKind::kGeluTanh, y[0], y[1]), wd);
    const Tensor sum = Add(c, x, out);
    return CrossEntropy(c, Linear(c, GatherRows(c, sum, rows), wt), targets);
  };
  CheckGradients(ctx, forward,
                 {{"table", &table, &dtable},
                  {"gate", &gate, &dgate},
                  {"up", &up, &dup},
                  {"down", &down, &ddown},
                  {"norm", &norm, &dnorm}},
                 1.0 / 64);
}

}  // namespace
}  // namespace galen
