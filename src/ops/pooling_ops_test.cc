// The ops around the towers of image-text models: values against float64, gradients against finite
// differences, on every instruction set.
#include <cmath>

#include "ops/binary_loss.h"
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class PoolingOps : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, PoolingOps, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(PoolingOps, PrependRow) {
  const int64_t rows = 3, groups = 2, cols = 19;
  std::vector<float> x = Uniform(groups * rows * cols, 1), row = Uniform(cols, 2);
  std::vector<float> drow(row.size());
  const VectorParam param{row.data(), cols, drow.data()};
  const auto forward = [&](ExecContext& c) {
    return PrependRow(c, Wrap(x, {groups * rows, cols}), param, rows);
  };
  const Tensor y = forward(ctx);
  ASSERT_EQ(y.rows(), groups * (rows + 1));
  for (int64_t i = 0; i < y.num_elements(); ++i) {
    const int64_t r = i / cols, group = r / (rows + 1), within = r % (rows + 1);
    const float wanted =
        within == 0 ? row[i % cols] : x[(group * rows + within - 1) * cols + i % cols];
    ASSERT_EQ(y.f32()[i], wanted) << i;
  }
  CheckGradients(ctx, forward, {{"x", &x}, {"row", &row, &drow}}, 0.5);
}

TEST_P(PoolingOps, PoolAttention) {
  for (const int64_t rows : {1, 5, 33}) {
    const int64_t groups = 2, heads = 3, dim = 6, width = heads * dim;
    const EncoderAttentionShape shape{heads, dim, 0.75f};
    std::vector<float> q = Uniform(width, 1), k = Uniform(groups * rows * width, 2),
                       v = Uniform(groups * rows * width, 3);
    const auto forward = [&](ExecContext& c) {
      return PoolAttention(c, shape, Wrap(q, {1, width}), Wrap(k, {groups * rows, width}),
                           Wrap(v, {groups * rows, width}), rows);
    };
    const Tensor y = forward(ctx);
    for (int64_t i = 0; i < groups; ++i) {
      for (int64_t h = 0; h < heads; ++h) {
        std::vector<double> weights(static_cast<size_t>(rows));
        double total = 0;
        for (int64_t t = 0; t < rows; ++t) {
          double score = 0;
          for (int64_t d = 0; d < dim; ++d) {
            score += static_cast<double>(q[h * dim + d]) * k[(i * rows + t) * width + h * dim + d];
          }
          weights[t] = std::exp(0.75 * score);
          total += weights[t];
        }
        for (int64_t d = 0; d < dim; ++d) {
          double wanted = 0;
          for (int64_t t = 0; t < rows; ++t) {
            wanted += weights[t] / total * v[(i * rows + t) * width + h * dim + d];
          }
          ASSERT_NEAR(y.row(i)[h * dim + d], wanted, 16 * 0x1p-24 * std::sqrt(rows + dim));
        }
      }
    }
    CheckGradients(ctx, forward, {{"q", &q}, {"k", &k}, {"v", &v}}, 1.0 / 16);
  }
}

TEST_P(PoolingOps, Similarity) {
  const int64_t n = 3, m = 2, cols = 37;
  std::vector<float> a = Uniform(n * cols, 1), b = Uniform(m * cols, 2), scale = {0.5f},
                     bias = {-0.25f};
  std::vector<float> dscale(1), dbias(1);
  const VectorParam s{scale.data(), 1, dscale.data()}, t{bias.data(), 1, dbias.data()};
  for (const VectorParam* shift : {&t, static_cast<const VectorParam*>(nullptr)}) {
    const auto forward = [&](ExecContext& c) {
      return Similarity(c, Wrap(a, {n, cols}), Wrap(b, {m, cols}), s, shift);
    };
    const Tensor y = forward(ctx);
    for (int64_t i = 0; i < n * m; ++i) {
      double wanted = 0;
      for (int64_t c = 0; c < cols; ++c) {
        wanted += static_cast<double>(a[i / m * cols + c]) * b[i % m * cols + c];
      }
      wanted = std::exp(0.5) * wanted + (shift == nullptr ? 0 : -0.25);
      ASSERT_NEAR(y.f32()[i], wanted, 8 * 0x1p-24 * (1 + std::fabs(wanted)));
    }
    std::vector<Variable> variables = {{"a", &a}, {"b", &b}, {"scale", &scale, &dscale}};
    if (shift != nullptr) variables.push_back({"bias", &bias, &dbias});
    CheckGradients(ctx, forward, variables, 1.0 / 16);
  }
}

// Against float64; masked entries have no part in it, however large they are.
TEST_P(PoolingOps, BinaryCrossEntropy) {
  const int64_t rows = 3, cols = 4;
  std::vector<float> x = Uniform(rows * cols, 1);
  for (float& v : x) v *= 3;
  x[5] = 80.0f;   // far out, and wrong
  x[6] = -1e30f;  // masked
  const std::vector<int8_t> targets = {1, 0, -1, 1, 0, 0, -1, 1, 0, 1, 1, 0};
  const std::vector<float> weights = {1.0f, 2.5f, 0.5f, 7.0f};
  for (const bool weighted : {false, true}) {
    const std::span<const float> w =
        weighted ? std::span<const float>(weights) : std::span<const float>();
    const auto forward = [&](ExecContext& c) {
      return BinaryCrossEntropy(c, Wrap(x, {rows, cols}), targets, w, 10.0);
    };
    double wanted = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (targets[i] < 0) continue;
      const double sign = targets[i] != 0 ? -1.0 : 1.0;
      const double factor = weighted && targets[i] != 0 ? double{weights[i % cols]} : 1.0;
      const double loss = x[i] > 50 ? sign * x[i] : std::log1p(std::exp(sign * x[i]));
      wanted += factor * loss / 10.0;
    }
    EXPECT_NEAR(*forward(ctx).f32(), wanted, 1e-6 * wanted);
    std::vector<float> moderate = x;
    moderate[5] = 2.0f, moderate[6] = -1.0f;
    CheckGradients(
        ctx,
        [&](ExecContext& c) {
          return BinaryCrossEntropy(c, Wrap(moderate, {rows, cols}), targets, w, 10.0);
        },
        {{"logits", &moderate}}, kCurved);
  }
}

}  // namespace
}  // namespace galen
