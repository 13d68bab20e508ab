// The ops of encoders: values against float64, gradients against finite differences, on every
// instruction set.
#include <cmath>

#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class EncoderOps : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, EncoderOps, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(EncoderOps, LayerNormGradients) {
  for (int64_t cols : {1, 17, 33}) {
    const int64_t rows = 70;  // two chunks of the parameters' gradients
    std::vector<float> x = Uniform(rows * cols, 1, 2.0f), w = Uniform(cols, 2),
                       b = Uniform(cols, 3);
    std::vector<float> dw(cols), db(cols);
    const VectorParam scale{w.data(), cols, dw.data()}, shift{b.data(), cols, db.data()};
    // eps as large as the values, so that small rows are no steps.
    const auto forward = [&](ExecContext& c) {
      return LayerNorm(c, Wrap(x, {rows, cols}), scale, shift, 0.5f);
    };
    CheckGradients(ctx, forward, {{"x", &x}, {"w", &w, &dw}, {"b", &b, &db}}, kCurved);
  }
}

TEST_P(EncoderOps, ActivationGradients) {
  for (ActivationKind kind : {ActivationKind::kGeluTanh, ActivationKind::kGelu,
                              ActivationKind::kQuickGelu, ActivationKind::kSilu}) {
    std::vector<float> x = Uniform(69, 1, 4.0f);
    const auto forward = [&](ExecContext& c) { return Activation(c, kind, Wrap(x, {3, 23})); };
    CheckGradients(ctx, forward, {{"x", &x}}, kCurved);
  }
}

TEST_P(EncoderOps, ReluGradients) {
  std::vector<float> x = Uniform(69, 1);
  for (float& v : x) v += v > 0 ? 0.25f : -0.25f;  // no step crosses 0
  const auto forward = [&](ExecContext& c) {
    return Activation(c, ActivationKind::kRelu, Wrap(x, {3, 23}));
  };
  CheckGradients(ctx, forward, {{"x", &x}}, 1.0 / 16);
}

TEST_P(EncoderOps, AddRowsRepeatsTheTable) {
  const int64_t period = 5, images = 3, cols = 7;
  std::vector<float> x = Uniform(images * period * cols, 1), table = Uniform(period * cols, 2);
  std::vector<float> dtable(table.size());
  const VectorParam param{table.data(), period * cols, dtable.data()};
  const auto forward = [&](ExecContext& c) {
    return AddRows(c, Wrap(x, {images * period, cols}), param);
  };
  const std::vector<float> y = Values(forward(ctx));
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], x[i] + table[i % table.size()]);
  CheckGradients(ctx, forward, {{"x", &x}, {"table", &table, &dtable}}, kLinear);
}

TEST_P(EncoderOps, MeanRowsOfListedRows) {
  std::vector<float> x = Uniform(6 * 9, 1);
  const std::vector<int32_t> rows = {0, 5, 5, 1, 2, 0};
  const auto forward = [&](ExecContext& c) { return MeanRows(c, Wrap(x, {6, 9}), rows, 3); };
  const Tensor y = forward(ctx);
  ASSERT_EQ(y.rows(), 2);
  for (int64_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(y.row(0)[i], (x[i] + 2 * x[45 + i]) / 3, 4 * 0x1p-24);
    EXPECT_NEAR(y.row(1)[i], (x[9 + i] + x[18 + i] + x[i]) / 3, 4 * 0x1p-24);
  }
  CheckGradients(ctx, forward, {{"x", &x}}, kLinear);
}

TEST_P(EncoderOps, NormalizeRows) {
  std::vector<float> x = Uniform(3 * 19, 1);
  const auto forward = [&](ExecContext& c) { return NormalizeRows(c, Wrap(x, {3, 19})); };
  const Tensor y = forward(ctx);
  for (int64_t r = 0; r < 3; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < 19; ++i) squares += double{x[r * 19 + i]} * x[r * 19 + i];
    for (int64_t i = 0; i < 19; ++i) {
      EXPECT_NEAR(y.row(r)[i], x[r * 19 + i] / std::sqrt(squares), 8 * 0x1p-24);
    }
  }
  CheckGradients(ctx, forward, {{"x", &x}}, kCurved);
  std::vector<float> zero(19, 0.0f);
  for (float v : Values(NormalizeRows(ctx, Wrap(zero, {1, 19})))) EXPECT_EQ(v, 0.0f);
}

// Attention of each segment by its definition in float64.
std::vector<double> ExactAttention(const EncoderAttentionShape& shape,
                                   const std::vector<int32_t>& bounds, const std::vector<float>& q,
                                   const std::vector<float>& k, const std::vector<float>& v) {
  const int64_t heads = shape.num_heads, dim = shape.head_dim;
  std::vector<double> out(q.size());
  for (size_t s = 0; s + 1 < bounds.size(); ++s) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t = bounds[s]; t < bounds[s + 1]; ++t) {
        std::vector<double> scores;
        double largest = -1e300, total = 0;
        for (int64_t j = bounds[s]; j < bounds[s + 1]; ++j) {
          double score = 0;
          for (int64_t d = 0; d < dim; ++d) {
            score += double{q[(t * heads + h) * dim + d]} * k[(j * heads + h) * dim + d];
          }
          scores.push_back(score * double{shape.scale});
          largest = std::max(largest, scores.back());
        }
        for (double& score : scores) total += score = std::exp(score - largest);
        for (int64_t j = bounds[s]; j < bounds[s + 1]; ++j) {
          const double weight = scores[j - bounds[s]] / total;
          for (int64_t d = 0; d < dim; ++d) {
            out[(t * heads + h) * dim + d] += weight * v[(j * heads + h) * dim + d];
          }
        }
      }
    }
  }
  return out;
}

TEST_P(EncoderOps, EncoderAttentionSeesItsSegmentOnly) {
  const std::vector<int32_t> bounds = {0, 1, 1, 8, 41, 105, 300};
  const int64_t tokens = bounds.back();
  for (int64_t head_dim : {6, 64, 72, 80}) {
    const EncoderAttentionShape shape{2, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim))};
    const int64_t n = tokens * shape.num_heads * head_dim;
    std::vector<float> q = Uniform(n, 1, 2.0f), k = Uniform(n, 2, 2.0f), v = Uniform(n, 3);
    const std::vector<double> exact = ExactAttention(shape, bounds, q, k, v);
    const auto wrap = [&](std::vector<float>& t) { return Wrap(t, {tokens, 2, head_dim}); };
    for (Compute compute : {Compute::kFp32, Compute::kBf16}) {
      const ArenaScope scope(ctx.arena);
      ctx.compute = compute;
      const Tensor y = EncoderAttention(ctx, shape, bounds, wrap(q), wrap(k), wrap(v));
      ctx.compute = Compute::kFp32;
      ASSERT_EQ(y.cols(), 2 * head_dim);
      // Averages of values below 1. fp32: scores up to 12 in size, whose rounding weighs as much.
      // bf16: a score is a sum of products of size 1 on average, each off by 2^-8 of it at most, in
      // all by 2^-8 sqrt(D) after the scale; errors that differ in sign leave a third of it.
      const double tolerance = compute == Compute::kFp32
                                   ? 64 * 0x1p-24
                                   : 0x1p-8 * (1 + std::sqrt(static_cast<double>(head_dim)) / 3);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(y.f32()[i], exact[i], tolerance) << head_dim << " at " << i;
      }
    }
  }
}

// One head of 8 features in bf16 or fp32; q, k, v [T * 8].
Tensor AttendOneHead(ExecContext& ctx, Compute compute, const std::vector<int32_t>& bounds,
                     std::vector<float>& q, std::vector<float>& k, std::vector<float>& v) {
  const int64_t tokens = bounds.back(), dim = 8;
  ctx.compute = compute;
  const Tensor y = EncoderAttention(ctx, {1, dim, 1.0f}, bounds, Wrap(q, {tokens, 1, dim}),
                                    Wrap(k, {tokens, 1, dim}), Wrap(v, {tokens, 1, dim}));
  ctx.compute = Compute::kFp32;
  return y;
}

// Scores that grow along the keys by more than floats can hold a power of two of: references must
// follow, and what was summed before must vanish.
TEST_P(EncoderOps, EncoderAttentionOfGrowingScores) {
  const int64_t tokens = 300, head_dim = 8;
  const std::vector<int32_t> bounds = {0, static_cast<int32_t>(tokens)};
  std::vector<float> q(tokens * head_dim, 1.0f), k(q.size()), v(q.size());
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t d = 0; d < head_dim; ++d) {
      k[t * head_dim + d] = static_cast<float>(t / 2 * 4);
      v[t * head_dim + d] = static_cast<float>(t) + 1000.0f * static_cast<float>(d);
    }
  }
  for (Compute compute : {Compute::kFp32, Compute::kBf16}) {
    const ArenaScope scope(ctx.arena);
    const Tensor y = AttendOneHead(ctx, compute, bounds, q, k, v);
    // The two last keys share all weight; the value is rounded to bf16.
    for (int64_t d = 0; d < head_dim; ++d) {
      const double want = 298.5 + 1000.0 * static_cast<double>(d);
      ASSERT_NEAR(y.row(0)[d], want, 0x1p-8 * want);
    }
  }
}

// The bits of a row do not depend on the queries that are computed with it, whose scores may be so
// large that their references rise.
TEST_P(EncoderOps, EncoderAttentionOfARowIsItsOwn) {
  const int64_t tokens = 300, head_dim = 8;
  const std::vector<int32_t> bounds = {0, static_cast<int32_t>(tokens)};
  std::vector<float> q = Uniform(tokens * head_dim, 1), k = Uniform(tokens * head_dim, 2);
  std::vector<float> v = Uniform(tokens * head_dim, 3);
  for (int64_t i = tokens * head_dim / 2; i < tokens * head_dim; ++i) k[i] *= 4;
  const ArenaScope scope(ctx.arena);
  const Tensor y = AttendOneHead(ctx, Compute::kBf16, bounds, q, k, v);
  for (int64_t i = 0; i < tokens * head_dim; ++i) {
    if (i / head_dim % 7 != 3) q[i] *= 1000;
  }
  const Tensor other = AttendOneHead(ctx, Compute::kBf16, bounds, q, k, v);
  for (int64_t t = 3; t < tokens; t += 7) {
    for (int64_t d = 0; d < head_dim; ++d) ASSERT_EQ(y.row(t)[d], other.row(t)[d]) << t;
  }
}

TEST_P(EncoderOps, EncoderAttentionKeepsNan) {
  const int64_t tokens = 40, head_dim = 8;
  const std::vector<int32_t> bounds = {0, 20, 40};
  std::vector<float> q = Uniform(tokens * head_dim, 1), k = Uniform(tokens * head_dim, 2);
  std::vector<float> v = Uniform(tokens * head_dim, 3);
  q[5 * head_dim] = std::nanf("");
  for (Compute compute : {Compute::kFp32, Compute::kBf16}) {
    const Tensor y = AttendOneHead(ctx, compute, bounds, q, k, v);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t d = 0; d < head_dim; ++d) ASSERT_EQ(std::isnan(y.row(t)[d]), t == 5) << t;
    }
  }
}

TEST_P(EncoderOps, EncoderAttentionGradients) {
  const std::vector<int32_t> bounds = {0, 4, 4, 11};
  const EncoderAttentionShape shape{2, 6, 0.7f};
  std::vector<float> q = Uniform(11 * 12, 1), k = Uniform(11 * 12, 2), v = Uniform(11 * 12, 3);
  const auto forward = [&](ExecContext& c) {
    return EncoderAttention(c, shape, bounds, Wrap(q, {11, 2, 6}), Wrap(k, {11, 2, 6}),
                            Wrap(v, {11, 2, 6}));
  };
  CheckGradients(ctx, forward, {{"q", &q}, {"k", &k}, {"v", &v}}, kCurved);
}

}  // namespace
}  // namespace galen
