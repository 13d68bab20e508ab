// The encoder block against its formula in float64, its gradients, and the order of patches.
#include "nn/encoder.h"

#include <cmath>
#include <memory>

#include "nn/encoder_int8.h"
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

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

Rows ExactBlock(const TestLayer& l, const std::vector<int32_t>& bounds,
                const std::vector<float>& values) {
  Rows x, q, k, v;
  for (auto row = values.begin(); row != values.end(); row += l.hidden) {
    x.emplace_back(row, row + l.hidden);
  }
  Rows y = x;
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

class EncoderTest : public OpsTest {
 protected:
  // In the arena, since a block without a tape consumes its input.
  Tensor Copy(const std::vector<float>& values, int64_t cols) {
    const auto n = static_cast<int64_t>(values.size());
    const Tensor x = ctx.arena->NewTensor({n / cols, cols});
    std::copy(values.begin(), values.end(), x.f32());
    return x;
  }
};
INSTANTIATE_TEST_SUITE_P(AllIsas, EncoderTest, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(EncoderTest, BlockEqualsItsFormula) {
  TestLayer layer(20, 3, 6, 33);
  const std::vector<int32_t> bounds = {0, 1, 1, 6, 13};  // one of them empty
  const int64_t tokens = bounds.back();
  const std::vector<float> values = Uniform(tokens * layer.hidden, 7, 2.0f);
  const Rows exact = ExactBlock(layer, bounds, values);
  const Tensor x = Copy(values, layer.hidden);
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

// Weights as inference keeps them: bf16, re-laid for the kernels.
class PackedMatrix {
 public:
  PackedMatrix(const KernelTable& kernels, TestLayer::Matrix* m) {
    std::vector<uint8_t> bytes(m->w.size() * 2);
    FormatOf(DType::kBF16)
        .encode(m->w.data(), nullptr, bytes.data(), static_cast<int64_t>(m->w.size()));
    FormatOf(DType::kBF16).decode(bytes.data(), m->w.data(), static_cast<int64_t>(m->w.size()));
    weight_ = {DType::kBF16, m->rows, m->cols, std::move(bytes), m->w};
    packed_ = std::make_unique<cases::PackedWeight>(kernels, kernels.weight_layout, weight_);
    layer = {{packed_->view(), nullptr}, {m->b.data(), m->rows, nullptr}};
  }
  LinearLayer layer;

 private:
  cases::TestWeight weight_;  // packed_ may be a view of it
  std::unique_ptr<cases::PackedWeight> packed_;
};

TEST_P(EncoderTest, Bf16BlockIsNearItsFormula) {
  TestLayer layer(50, 3, 12, 83);
  const PackedMatrix q(*ctx.kernels, &layer.q), k(*ctx.kernels, &layer.k),
      v(*ctx.kernels, &layer.v);
  const PackedMatrix out(*ctx.kernels, &layer.out), fc1(*ctx.kernels, &layer.fc1);
  const PackedMatrix fc2(*ctx.kernels, &layer.fc2);
  EncoderLayer view = layer.View();
  view.q_proj = q.layer, view.k_proj = k.layer, view.v_proj = v.layer;
  view.out_proj = out.layer, view.fc1 = fc1.layer, view.fc2 = fc2.layer;
  const std::vector<int32_t> bounds = {0, 70, 101, 219};
  const int64_t tokens = bounds.back();
  const std::vector<float> values = Uniform(tokens * layer.hidden, 7, 2.0f);
  const Rows exact = ExactBlock(layer, bounds, values);
  ctx.compute = Compute::kBf16;
  const Tensor x = Copy(values, layer.hidden);
  const int64_t mark = ctx.arena->mark();
  const Tensor y = EncoderBlock(ctx, view, layer.shape(), bounds, ActivationKind::kGelu, kEps, x);
  EXPECT_EQ(ctx.arena->mark(), mark);
  double error = 0, size = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t i = 0; i < layer.hidden; ++i) {
      const double d = y.row(t)[i] - exact[t][i];
      error += d * d;
      size += exact[t][i] * exact[t][i];
    }
  }
  // Every operand is off by 2^-9 of itself at most, by a third less on average; six products.
  EXPECT_LT(std::sqrt(error / size), 0x1p-8);
}

double Cosine(const float* got, const std::vector<double>& want) {
  double dot = 0, a = 0, b = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    dot += got[i] * want[i];
    a += double{got[i]} * got[i];
    b += want[i] * want[i];
  }
  return dot / std::sqrt(a * b);
}

// Outlier channels as real towers have them: two features of the residual stream fifty times as
// large as the others.
TEST_P(EncoderTest, Int8BlockIsNearItsFormula) {
  TestLayer layer(96, 2, 32, 83);
  layer.n1w[5] *= 50, layer.n1w[70] *= 50, layer.n2w[5] *= 50, layer.n2w[70] *= 50;
  // Columns that meet an outlier are small in a trained tower: scores and activations stay in
  // range.
  for (TestLayer::Matrix* m : {&layer.q, &layer.k, &layer.v, &layer.fc1}) {
    for (int64_t r = 0; r < m->rows; ++r) m->w[r * 96 + 5] /= 50, m->w[r * 96 + 70] /= 50;
  }
  for (TestLayer::Matrix* m : {&layer.q, &layer.k}) {
    for (float& w : m->w) w *= 0.25f;
  }
  const std::vector<int32_t> bounds = {0, 40, 101};
  const int64_t tokens = bounds.back();
  const std::vector<float> values = Uniform(tokens * layer.hidden, 7, 2.0f);
  const Rows exact = ExactBlock(layer, bounds, values);
  std::vector<EncoderLayer> layers = {layer.View()};
  const Result<PageBuffer> memory = QuantizeLayers(layers, *ctx.kernels, *ctx.pool);
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(layers[0].fc2.weight.view.cols, 96);
  ctx.compute = Compute::kInt8;
  const Tensor x = Copy(values, layer.hidden);
  const Tensor y =
      EncoderBlock(ctx, layers[0], layer.shape(), bounds, ActivationKind::kGelu, kEps, x);
  for (int64_t t = 0; t < tokens; ++t) EXPECT_GT(Cosine(y.row(t), exact[t]), 0.999) << t;
}

// Sizes that are no whole blocks of 32: columns are padded, also those of the heads.
TEST_P(EncoderTest, Int8BlockOfAnySize) {
  TestLayer layer(50, 2, 18, 45);
  for (TestLayer::Matrix* m : {&layer.q, &layer.k}) {
    for (float& w : m->w) w *= 0.25f;
  }
  const std::vector<int32_t> bounds = {0, 9, 30};
  const std::vector<float> values = Uniform(bounds.back() * layer.hidden, 7, 2.0f);
  const Rows exact = ExactBlock(layer, bounds, values);
  std::vector<EncoderLayer> layers = {layer.View()};
  const Result<PageBuffer> memory = QuantizeLayers(layers, *ctx.kernels, *ctx.pool);
  ASSERT_TRUE(memory.ok());
  ctx.compute = Compute::kInt8;
  const Tensor y = EncoderBlock(ctx, layers[0], layer.shape(), bounds, ActivationKind::kGelu, kEps,
                                Copy(values, layer.hidden));
  for (int64_t t = 0; t < y.rows(); ++t) EXPECT_GT(Cosine(y.row(t), exact[t]), 0.999) << t;
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
