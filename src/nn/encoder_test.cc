// The encoder block against its formula in float64, its gradients, and the order of patches.
#include "nn/encoder.h"

#include <cmath>

#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

constexpr double kCurved = 1.0 / 16;
constexpr float kEps = 1e-6f;

// A layer with its numbers, all dense.
struct TestLayer {
  int64_t hidden, heads, head_dim, inner;
  std::vector<float> n1w, n1b, n2w, n2b;
  struct Matrix {
    int64_t rows, cols;
    std::vector<float> w, b, dw, db;
    LinearLayer View(bool train) {
      dw.assign(w.size(), 0.0f);
      db.assign(b.size(), 0.0f);
      const auto* bytes = reinterpret_cast<const uint8_t*>(w.data());
      return {{{bytes, DType::kF32, WeightLayout::kRows, rows, cols}, train ? dw.data() : nullptr},
              {b.data(), rows, train ? db.data() : nullptr}};
    }
  } q, k, v, out, fc1, fc2;

  TestLayer(int64_t hidden_size, int64_t num_heads, int64_t dim, int64_t inner_size)
      : hidden(hidden_size), heads(num_heads), head_dim(dim), inner(inner_size) {
    uint64_t seed = 100;
    const auto vector = [&](int64_t n) { return Uniform(n, ++seed); };
    const auto matrix = [&](int64_t rows, int64_t cols) {
      return Matrix{rows, cols, Uniform(rows * cols, ++seed, 0.5f), Uniform(rows, ++seed), {}, {}};
    };
    n1w = vector(hidden), n1b = vector(hidden), n2w = vector(hidden), n2b = vector(hidden);
    q = matrix(heads * head_dim, hidden), k = matrix(heads * head_dim, hidden);
    v = matrix(heads * head_dim, hidden), out = matrix(hidden, heads * head_dim);
    fc1 = matrix(inner, hidden), fc2 = matrix(hidden, inner);
  }
  EncoderLayer View(bool train = false) {
    return {{n1w.data(), hidden}, {n1b.data(), hidden}, q.View(train),        k.View(train),
            v.View(train),        out.View(train),      {n2w.data(), hidden}, {n2b.data(), hidden},
            fc1.View(train),      fc2.View(train)};
  }
  EncoderAttentionShape shape() const { return {heads, head_dim, 0.4f}; }
};

using Rows = std::vector<std::vector<double>>;

std::vector<double> Norm(const std::vector<double>& x, const std::vector<float>& w,
                         const std::vector<float>& b) {
  double mean = 0, variance = 0;
  for (double v : x) mean += v / static_cast<double>(x.size());
  for (double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back((x[i] - mean) / std::sqrt(variance + double{kEps}) * w[i] + b[i]);
  }
  return y;
}

std::vector<double> Times(const TestLayer::Matrix& m, const std::vector<double>& x) {
  std::vector<double> y;
  for (int64_t r = 0; r < m.rows; ++r) {
    double sum = m.b[r];
    for (int64_t c = 0; c < m.cols; ++c) sum += double{m.w[r * m.cols + c]} * x[c];
    y.push_back(sum);
  }
  return y;
}

Rows ExactBlock(const TestLayer& l, const std::vector<int32_t>& bounds, const Rows& x) {
  Rows y = x, q, k, v;
  for (const auto& row : x) {
    const std::vector<double> n = Norm(row, l.n1w, l.n1b);
    q.push_back(Times(l.q, n)), k.push_back(Times(l.k, n)), v.push_back(Times(l.v, n));
  }
  for (size_t s = 0; s + 1 < bounds.size(); ++s) {
    for (int32_t t = bounds[s]; t < bounds[s + 1]; ++t) {
      std::vector<double> heads(l.heads * l.head_dim, 0.0);
      for (int64_t h = 0; h < l.heads; ++h) {
        const int64_t at = h * l.head_dim;
        double total = 0;
        std::vector<double> sums(l.head_dim, 0.0);
        for (int32_t j = bounds[s]; j < bounds[s + 1]; ++j) {
          double score = 0;
          for (int64_t d = 0; d < l.head_dim; ++d) score += q[t][at + d] * k[j][at + d];
          const double weight = std::exp(score * double{l.shape().scale});
          total += weight;
          for (int64_t d = 0; d < l.head_dim; ++d) sums[d] += weight * v[j][at + d];
        }
        for (int64_t d = 0; d < l.head_dim; ++d) heads[at + d] = sums[d] / total;
      }
      const std::vector<double> added = Times(l.out, heads);
      for (int64_t i = 0; i < l.hidden; ++i) y[t][i] += added[i];
    }
  }
  for (auto& row : y) {
    std::vector<double> inner = Times(l.fc1, Norm(row, l.n2w, l.n2b));
    for (double& u : inner) u *= 0.5 * std::erfc(-u / std::sqrt(2.0));
    const std::vector<double> added = Times(l.fc2, inner);
    for (int64_t i = 0; i < l.hidden; ++i) row[i] += added[i];
  }
  return y;
}

class EncoderTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, EncoderTest, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(EncoderTest, BlockEqualsItsFormula) {
  TestLayer layer(20, 3, 6, 33);
  const std::vector<int32_t> bounds = {0, 1, 1, 6, 13};  // one of them empty
  const int64_t tokens = bounds.back();
  const std::vector<float> values = Uniform(tokens * layer.hidden, 7, 2.0f);
  Rows exact;
  for (int64_t t = 0; t < tokens; ++t) {
    exact.emplace_back(values.begin() + t * layer.hidden, values.begin() + (t + 1) * layer.hidden);
  }
  exact = ExactBlock(layer, bounds, exact);
  const Tensor x = ctx.arena->NewTensor({tokens, layer.hidden});
  std::copy(values.begin(), values.end(), x.f32());
  const int64_t mark = ctx.arena->mark();
  const Tensor y =
      EncoderBlock(ctx, layer.View(), layer.shape(), bounds, ActivationKind::kGelu, kEps, x);
  EXPECT_EQ(ctx.arena->mark(), mark);  // nothing is left behind
  EXPECT_EQ(y.data, x.data);
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t i = 0; i < layer.hidden; ++i) {
      // Values of order 10, through sums of at most 33 terms of order 1 and two normalisations.
      ASSERT_NEAR(y.row(t)[i], exact[t][i], 2e-5) << t << " " << i;
    }
  }
}

TEST_P(EncoderTest, GradientsOfABlock) {
  TestLayer layer(8, 2, 4, 9);
  const std::vector<int32_t> bounds = {0, 3, 5};
  std::vector<float> x = Uniform(5 * 8, 7);
  const EncoderLayer view = layer.View(true);
  const auto forward = [&](ExecContext& c) {
    // Copied, since a block without a tape consumes its input.
    const Tensor in = Add(c, Wrap(x, {5, 8}), Wrap(x, {5, 8}));
    return EncoderBlock(c, view, layer.shape(), bounds, ActivationKind::kGeluTanh, 0.1f, in);
  };
  CheckGradients(ctx, forward,
                 {{"x", &x},
                  {"q", &layer.q.w, &layer.q.dw},
                  {"out", &layer.out.w, &layer.out.dw},
                  {"fc1", &layer.fc1.w, &layer.fc1.dw},
                  {"fc1.bias", &layer.fc1.b, &layer.fc1.db},
                  {"fc2", &layer.fc2.w, &layer.fc2.dw}},
                 kCurved);
}

TEST(UnfoldPatches, IsTheOrderOfAConvolution) {
  const int64_t channels = 3, height = 4, width = 6, patch = 2;
  std::vector<float> planes(channels * height * width), interleaved(planes.size());
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < height * width; ++i) {
      planes[c * height * width + i] = static_cast<float>(100 * c + i);
      interleaved[i * channels + c] = planes[c * height * width + i];
    }
  }
  std::vector<float> rows(planes.size()), same(planes.size());
  UnfoldPatches(planes.data(), channels, height, width, patch, rows.data());
  UnfoldPatchesInterleaved(interleaved.data(), channels, height, width, patch, same.data());
  EXPECT_EQ(rows, same);
  // Patch 4 is at row 1, column 1: pixels (2, 2), (2, 3), (3, 2), (3, 3) of each channel.
  const std::vector<float> expected = {14, 15, 20, 21, 114, 115, 120, 121, 214, 215, 220, 221};
  EXPECT_EQ(std::vector<float>(rows.begin() + 48, rows.begin() + 60), expected);
}

TEST(EqualSegments, AreTheBoundsOfImages) {
  EXPECT_EQ(EqualSegments(3, 5), (std::vector<int32_t>{0, 5, 10, 15}));
  EXPECT_EQ(EqualSegments(0, 5), std::vector<int32_t>{0});
}

}  // namespace
}  // namespace galen
