// Adapters on linear layers and tables: against the formula in float64, gradients, and different
// adapters for the rows of one batch.
#include "nn/lora.h"

#include <cmath>
#include <memory>

#include "nn/layers.h"
#include "ops/lora_ops.h"
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

constexpr int64_t kIn = 32, kOut = 21;

class Lora : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, Lora, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

struct Matrix {
  Matrix(int64_t n, int64_t k, uint64_t seed) : rows(n), cols(k), w(Uniform(n * k, seed)) {}
  Weight View(bool train = false) {
    dw.assign(w.size(), 0.0f);
    const auto* bytes = reinterpret_cast<const uint8_t*>(w.data());
    return {{bytes, DType::kF32, WeightLayout::kRows, rows, cols}, train ? dw.data() : nullptr};
  }
  int64_t rows, cols;
  std::vector<float> w, dw;
};

struct Vector {
  explicit Vector(int64_t n, uint64_t seed, float offset = 0.0f) : v(Uniform(n, seed)), dv(n) {
    for (float& x : v) x += offset;
  }
  VectorParam View(bool train = false) {
    return {v.data(), static_cast<int64_t>(v.size()), train ? dv.data() : nullptr};
  }
  std::vector<float> v, dv;
};

struct Term {
  Term(int64_t in, int64_t out, int64_t r, uint64_t seed)
      : a(r, in, seed),
        b(out, r, seed + 1),
        b_bias(out, seed + 2),
        magnitude(out, seed + 3, 3.0f),
        norms(out, seed + 4, 2.0f),
        weight(out, in, seed + 5),
        bias(out, seed + 6) {}
  Matrix a, b;
  Vector b_bias, magnitude, norms;
  Matrix weight;
  Vector bias;
};

TEST_P(Lora, GradientsOfTwoTermsOnLayersThatShareTheirInput) {
  for (const int64_t m : {1, 5}) {
    Matrix w0(kOut, kIn, 1), w1(kOut, kIn, 2);
    Vector bias(kOut, 3);
    Term s(kIn, kOut, 4, 10), t(kIn, kOut, 3, 20), u(kIn, kOut, 7, 30);
    LoraLayer on0{{{0, 0.5f, s.a.View(true), s.b.View(true), s.b_bias.View(true), {}},
                   {1, -2.0f, t.a.View(true), t.b.View(true), {}, {}}}};
    LoraLayer on1{{{1, 1.5f, u.a.View(true), u.b.View(true), {}, {}}}};
    const LinearLayer first{w0.View(true), bias.View(true), &on0}, second{w1.View(), {}, &on1};
    std::vector<float> x = Uniform(m * kIn, 5);
    const auto forward = [&](ExecContext& c) {
      Tensor y[2];
      ProjectTogether(c, {&first, &second}, Wrap(x, {m, kIn}), y);
      return Add(c, y[0], y[1]);
    };
    CheckGradients(ctx, forward,
                   {{"x", &x},
                    {"w0", &w0.w, &w0.dw},
                    {"bias", &bias.v, &bias.dv},
                    {"s.a", &s.a.w, &s.a.dw},
                    {"s.b", &s.b.w, &s.b.dw},
                    {"s.b_bias", &s.b_bias.v, &s.b_bias.dv},
                    {"t.a", &t.a.w, &t.a.dw},
                    {"t.b", &t.b.w, &t.b.dw},
                    {"u.a", &u.a.w, &u.a.dw},
                    {"u.b", &u.b.w, &u.b.dw}},
                   kLinear);
  }
}

// The frozen part of DoRA's norm is what the paper and PEFT hold constant.
TEST_P(Lora, GradientsOfDoraOnPackedWeights) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ4_0, DType::kQ8_0}) {
    const cases::TestWeight weight = cases::MakeWeight(dtype, kOut, kIn, 5);
    for (const WeightLayout layout : cases::LayoutsOf(*ctx.kernels)) {
      const cases::PackedWeight packed(*ctx.kernels, layout, weight);
      Vector bias(kOut, 3);
      Term s(kIn, kOut, 4, 10), t(kIn, kOut, 3, 20);
      LoraLayer lora{
          {{0, 0.5f, s.a.View(true), s.b.View(true), {}, s.magnitude.View(true), s.norms.v.data()},
           {1,
            0.7f,
            t.a.View(true),
            t.b.View(true),
            {},
            t.magnitude.View(true),
            t.norms.v.data()}}};
      const LinearLayer layer{{packed.view()}, bias.View(true), &lora};
      const int64_t m = 3;
      std::vector<float> x = Uniform(m * kIn, 5);
      CheckGradients(
          ctx,
          [&](ExecContext& c) {
            return Project(c, layer, Wrap(x, {m, kIn}));
          },
          {{"x", &x},
           {"bias", &bias.v, &bias.dv},
           {"s.a", &s.a.w, &s.a.dw},
           {"s.b", &s.b.w, &s.b.dw},
           {"s.magnitude", &s.magnitude.v, &s.magnitude.dv},
           {"t.a", &t.a.w, &t.a.dw},
           {"t.b", &t.b.w, &t.b.dw},
           {"t.magnitude", &t.magnitude.v, &t.magnitude.dv}},
          kLinear);
    }
  }
}

TEST_P(Lora, GradientsOfWhatReplacesALayer) {
  Matrix w(kOut, kIn, 1);
  Vector bias(kOut, 2);
  Term t(kIn, kOut, 3, 20);
  LoraTerm saved;
  saved.weight = t.weight.View(true);
  saved.bias = t.bias.View(true);
  LoraLayer lora{{saved}};
  const LinearLayer layer{w.View(true), bias.View(true), &lora};
  std::vector<float> x = Uniform(2 * kIn, 5);
  CheckGradients(
      ctx,
      [&](ExecContext& c) {
        return Project(c, layer, Wrap(x, {2, kIn}));
      },
      {{"x", &x}, {"weight", &t.weight.w, &t.weight.dw}, {"bias", &t.bias.v, &t.bias.dv}}, kLinear);
  EXPECT_EQ(w.dw, std::vector<float>(w.w.size(), 0.0f));
  EXPECT_EQ(bias.dv, std::vector<float>(kOut, 0.0f));
}

TEST_P(Lora, GradientsOfAnEmbedding) {
  const int64_t vocab = 9, hidden = 13, r = 2;
  Matrix table(vocab, hidden, 1), a(vocab, r, 2), b(hidden, r, 3);
  LoraTerm term;
  term.scaling = 0.5f;
  term.a = a.View(true);
  term.b = b.View(true);
  LoraLayer lora{{term}};
  const EmbeddingLayer layer{table.View(true), &lora};
  const std::vector<int32_t> ids = {8, 1, 8, 0};
  CheckGradients(
      ctx, [&](ExecContext& c) { return EmbedRows(c, layer, ids, 3.0f); },
      {{"table", &table.w, &table.dw}, {"a", &a.w, &a.dw}, {"b", &b.w, &b.dw}}, kLinear);
}

// A norm per row of W + s B A, whatever the formats; the row sums are double on both sides.
TEST_P(Lora, RowNorms) {
  for (const DType dtype : cases::WeightFormats()) {
    const int64_t block = FormatOf(dtype).block_elems;
    const int64_t k = block == 256 ? 512 : 320, n = 70, r = 5;
    const cases::TestWeight weight = cases::MakeWeight(dtype, n, k, 5);
    const cases::TestWeight a = cases::MakeWeight(DType::kBF16, r, k, 6);
    Matrix b(n, r, 7);
    for (const WeightLayout layout : cases::LayoutsOf(*ctx.kernels)) {
      const cases::PackedWeight packed(*ctx.kernels, layout, weight),
          packed_a(*ctx.kernels, layout, a);
      std::vector<float> norms(n);
      const int64_t before = ctx.arena->high_water();
      LowRankRowNorms(ctx, {packed.view()}, {packed_a.view()}, b.View(), 0.3f, norms.data());
      EXPECT_LE(
          ctx.arena->high_water() - before,
          LowRankRowNormBytes(*ctx.kernels, ctx.pool->size(), {packed.view()}, {packed_a.view()}));
      for (int64_t i = 0; i < n; ++i) {
        double squares = 0;
        for (int64_t j = 0; j < k; ++j) {
          double value = weight.values[i * k + j];
          for (int64_t q = 0; q < r; ++q) value += 0.3 * b.w[i * r + q] * a.values[q * k + j];
          squares += value * value;
        }
        // Each value is off by less than (r + 2) units of its largest part.
        EXPECT_NEAR(norms[i], std::sqrt(squares), std::sqrt(squares) * 16 * 0x1p-24)
            << FormatOf(dtype).name << " row " << i;
      }
    }
  }
}

// The formula, term by term in float64.
TEST_P(Lora, TermsFollowEachOther) {
  const int64_t m = 6;
  Matrix w(kOut, kIn, 1);
  Vector bias(kOut, 2);
  Term s(kIn, kOut, 4, 10), t(kIn, kOut, 3, 20);
  LoraLayer lora{{{0, 0.5f, s.a.View(), s.b.View(), {}, s.magnitude.View()},
                  {1, 0.7f, t.a.View(), t.b.View(), t.b_bias.View(), {}}}};
  const LinearLayer layer{w.View(), bias.View(), &lora};
  std::vector<float> x = Uniform(m * kIn, 5);
  const Tensor y = Project(ctx, layer, Wrap(x, {m, kIn}));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t n = 0; n < kOut; ++n) {
      double base = 0, squares = 0, low0 = 0, low1 = t.b_bias.v[n], size = 0;
      for (int64_t j = 0; j < kIn; ++j) {
        double d0 = 0, d1 = 0;
        for (int64_t q = 0; q < 4; ++q) d0 += double{s.b.w[n * 4 + q]} * s.a.w[q * kIn + j];
        for (int64_t q = 0; q < 3; ++q) d1 += double{t.b.w[n * 3 + q]} * t.a.w[q * kIn + j];
        const double v = w.w[n * kIn + j], xj = x[i * kIn + j];
        base += v * xj;
        low0 += d0 * xj;
        low1 += d1 * xj;
        size += (std::fabs(v) + std::fabs(d0) + std::fabs(d1)) * std::fabs(xj);
        squares += (v + 0.5 * d0) * (v + 0.5 * d0);
      }
      const double dora = (base + 0.5 * low0) * s.magnitude.v[n] / std::sqrt(squares);
      EXPECT_NEAR(y.row(i)[n], dora + 0.7 * low1 + bias.v[n], 4 * size * 64 * 0x1p-24);
    }
  }
}

// Rows of one batch have the bits that they have alone.
TEST_P(Lora, RowsWithDifferentAdaptersAreAsAlone) {
  ctx.batch_invariant = true;
  const int64_t m = 9, vocab = 11;
  Matrix w0(kOut, kIn, 1), w1(kOut, kIn, 2), table(vocab, kOut, 3);
  Vector bias(kOut, 4);
  Term plain(kIn, kOut, 4, 10), dora(kIn, kOut, 3, 20), saved(kIn, kOut, 2, 30),
      biased(kIn, kOut, 2, 40);
  LoraTerm replace;
  replace.adapter = 2;
  replace.weight = saved.weight.View();
  replace.bias = saved.bias.View();
  LoraTerm other_bias;
  other_bias.adapter = 3;
  other_bias.bias = biased.bias.View();
  LoraLayer on0{{{0, 0.5f, plain.a.View(), plain.b.View(), {}, {}},
                 {1, 2.0f, dora.a.View(), dora.b.View(), {}, dora.magnitude.View()},
                 replace,
                 other_bias}};
  LoraLayer on1{{{0, 0.25f, biased.a.View(), biased.b.View(), biased.b_bias.View(), {}}}};
  Matrix ta(vocab, 2, 50), tb(kOut, 2, 51), other(vocab, kOut, 52);
  LoraTerm embedded, replaced_table;
  embedded.a = ta.View();
  embedded.b = tb.View();
  replaced_table.adapter = 2;
  replaced_table.weight = other.View();
  LoraLayer on_table{{embedded, replaced_table}};
  const LinearLayer first{w0.View(), bias.View(), &on0}, second{w1.View(), {}, &on1};
  const EmbeddingLayer embedding{table.View(), &on_table};
  std::vector<float> x = Uniform(m * kIn, 5);
  const std::vector<int32_t> ids = {3, 3, 0, 10, 1, 1, 7, 8, 2};
  const AdapterRun runs[] = {{0, 2, 0b1},   {2, 3, 0b10}, {3, 4, 0},
                             {4, 6, 0b100}, {6, 8, 0b11}, {8, 9, 0b1000}};
  ctx.adapter_runs = runs;
  Tensor mixed[3];
  const LinearLayer* layers[] = {&first, &second};
  ProjectTogether(ctx, {&first, &second}, Wrap(x, {m, kIn}), std::span(mixed).first(2));
  mixed[2] = EmbedRows(ctx, embedding, ids, 1.5f);
  for (const AdapterRun& run : runs) {
    const AdapterRun alone[] = {{0, run.end - run.begin, run.adapters}};
    ctx.adapter_runs = alone;
    Tensor y[3];
    ProjectAdapted(ctx, layers, Wrap(x, {m, kIn}).Rows(run.begin, run.end - run.begin),
                   std::span(y).first(2));
    y[2] = EmbedRows(ctx, embedding, std::span(ids).subspan(run.begin, run.end - run.begin), 1.5f);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(Values(y[i]), Values(mixed[i].Rows(run.begin, run.end - run.begin)))
          << "adapters " << run.adapters << " output " << i;
    }
  }
  // And each adapter does something.
  EXPECT_NE(Values(mixed[0].Rows(0, 1)), Values(mixed[0].Rows(3, 1)));
}

TEST_P(Lora, TiedHeadHasItsOwnAdapter) {
  Matrix table(kOut, kIn, 1);
  Term t(kIn, kOut, 3, 20);
  LoraLayer lora{{{0, 1.0f, t.a.View(), t.b.View(), {}, {}}}};
  const LinearLayer tied{{}, {}, &lora}, untied{table.View(), {}, &lora};
  std::vector<float> x = Uniform(2 * kIn, 5);
  const Tensor in = Wrap(x, {2, kIn});
  EXPECT_EQ(Values(OutputHead(ctx, in, tied, table.View())),
            Values(OutputHead(ctx, in, untied, {})));
  EXPECT_NE(Values(OutputHead(ctx, in, tied, table.View())),
            Values(OutputHead(ctx, in, {}, table.View())));
}

}  // namespace
}  // namespace galen
