// Variable-length attention: forward against float64 and the paged form, backward against finite
// differences in float64.
#include <gtest/gtest.h>

#include <string>

#include "kernels/attention_cases.h"

namespace galen {
namespace {

// A batch of two spans, the first of `first` rows.
struct Batch {
  AttentionShape shape;
  int64_t first, tokens;
  std::vector<float> q, k, v, dout;
  std::vector<int32_t> look_ahead;  // empty: causal

  Batch(const AttentionShape& s, int64_t first_rows, int64_t all_rows, bool images, uint64_t seed)
      : shape(s), first(first_rows), tokens(all_rows) {
    q = Coarse(tokens * s.num_heads * s.head_dim, seed);
    k = Coarse(tokens * s.num_kv_heads * s.head_dim, seed + 1);
    v = Coarse(tokens * s.num_kv_heads * s.head_dim, seed + 2);
    dout = Coarse(tokens * s.num_heads * s.head_dim, seed + 3);
    for (int64_t row = 0; images && row < tokens; ++row) {
      const AttentionSpan span = SpanOf(row);
      const int64_t p = row - span.begin;
      look_ahead.push_back(static_cast<int32_t>(
          p % 3 == 0 ? std::min(p + 1 + p % 40, span.end - span.begin - 1) : p));
    }
  }

  // Multiples of 2^-9, so that a step of 2^-14 of a finite difference is exact.
  static std::vector<float> Coarse(int64_t n, uint64_t seed) {
    std::vector<float> values = cases::Uniform(n, seed, 1.5f);
    for (float& x : values) x = std::nearbyint(x * 512.0f) / 512.0f;
    return values;
  }

  std::vector<AttentionSpan> Spans() const {
    std::vector<AttentionSpan> spans;
    if (first > 0) spans.push_back({0, first, 0, {}});
    spans.push_back({first, tokens, 0, {}});
    return spans;
  }
  AttentionSpan SpanOf(int64_t row) const {
    return row < first ? AttentionSpan{0, first, 0, {}} : AttentionSpan{first, tokens, 0, {}};
  }
  const int32_t* LookAhead() const { return look_ahead.empty() ? nullptr : look_ahead.data(); }

  KeyInterval Seen(int64_t row) const {
    const AttentionSpan span = SpanOf(row);
    return VisibleKeys(shape, row - span.begin, look_ahead.empty() ? nullptr : &look_ahead[row],
                       span.end - span.begin);
  }

  cases::ExactRow Exact(int64_t row, int64_t h) const {
    const int64_t g = h / (shape.num_heads / shape.num_kv_heads);
    const int64_t begin = SpanOf(row).begin;
    const auto at = [&](int64_t j, int64_t d) {
      return ((begin + j) * shape.num_kv_heads + g) * shape.head_dim + d;
    };
    return cases::ExactAttention(
        shape, q.data() + (row * shape.num_heads + h) * shape.head_dim, Seen(row),
        [&](int64_t j, int64_t d) { return double{k[at(j, d)]}; },
        [&](int64_t j, int64_t d) { return double{v[at(j, d)]}; });
  }

  // Sum of out * dout in float64.
  double Loss() const {
    double loss = 0.0;
    for (int64_t row = 0; row < tokens; ++row) {
      for (int64_t h = 0; h < shape.num_heads; ++h) {
        const cases::ExactRow exact = Exact(row, h);
        for (int64_t d = 0; d < shape.head_dim; ++d) {
          loss += exact.out[d] * double{dout[(row * shape.num_heads + h) * shape.head_dim + d]};
        }
      }
    }
    return loss;
  }
};

struct Forward {
  std::vector<float> out, lse;
};

Forward RunForward(const KernelTable& kernels, const Batch& b) {
  Forward f{std::vector<float>(b.q.size()), std::vector<float>(b.tokens * b.shape.num_heads)};
  for (const AttentionSpan& span : b.Spans()) {
    cases::PoisonedBytes scratch(kernels.attention_scratch_bytes(b.shape, span.end - span.begin));
    for (int64_t h = 0; h < b.shape.num_heads; ++h) {
      kernels.attention(b.shape, span, b.q.data(), b.k.data(), b.v.data(), b.LookAhead(), h,
                        f.out.data(), f.lse.data(), scratch.data());
    }
  }
  return f;
}

struct Gradients {
  std::vector<float> dq, dk, dv;
};

// start: what the accumulators hold before.
Gradients RunBackward(const KernelTable& kernels, const Batch& b, float start) {
  const Forward f = RunForward(kernels, b);
  Gradients g{std::vector<float>(b.q.size(), start), std::vector<float>(b.k.size(), start),
              std::vector<float>(b.v.size(), start)};
  for (const AttentionSpan& span : b.Spans()) {
    cases::PoisonedBytes scratch(kernels.attention_scratch_bytes(b.shape, span.end - span.begin));
    for (int64_t head = 0; head < b.shape.num_kv_heads; ++head) {
      kernels.attention_backward(b.shape, span, b.q.data(), b.k.data(), b.v.data(), b.LookAhead(),
                                 f.out.data(), f.lse.data(), b.dout.data(), head, g.dq.data(),
                                 g.dk.data(), g.dv.data(), scratch.data());
    }
  }
  return g;
}

struct Case {
  int64_t heads, kv_heads, head_dim, window, first, tokens;
};
constexpr Case kCases[] = {{1, 1, 8, 0, 0, 1},     {4, 1, 64, 0, 5, 38},  {6, 2, 72, 7, 33, 65},
                           {8, 4, 80, 33, 1, 64},  {3, 3, 20, 0, 64, 99}, {2, 1, 128, 100, 31, 190},
                           {4, 1, 256, 40, 0, 70}, {8, 1, 2, 0, 40, 72}};

AttentionShape ShapeOf(const Case& c) {
  AttentionShape shape;
  shape.num_heads = c.heads;
  shape.num_kv_heads = c.kv_heads;
  shape.head_dim = c.head_dim;
  shape.window = c.window;
  shape.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  shape.kv_type = KvType::kF32;
  return shape;
}

TEST(VarlenAttention, EqualsFloat64) {
  for (const Case& c : kCases) {
    for (bool images : {false, true}) {
      const Batch b(ShapeOf(c), c.first, c.tokens, images, 31);
      std::vector<Forward> results;
      for (Isa isa : SupportedIsas()) results.push_back(RunForward(KernelsFor(isa), b));
      for (int64_t row = 0; row < b.tokens; ++row) {
        const KeyInterval seen = b.Seen(row);
        for (int64_t h = 0; h < c.heads; ++h) {
          const cases::ExactRow exact = b.Exact(row, h);
          const double tolerance = cases::Tolerance(b.shape, exact, seen.end - seen.begin, false);
          for (size_t i = 0; i < results.size(); ++i) {
            // The log of a sum of n weights: relative errors of the weights, absolute ones of the
            // largest score.
            EXPECT_NEAR(results[i].lse[row * c.heads + h], exact.lse,
                        tolerance / exact.largest_value + 0x1p-23 * std::fabs(exact.lse));
            for (int64_t d = 0; d < c.head_dim; ++d) {
              ASSERT_NEAR(results[i].out[(row * c.heads + h) * c.head_dim + d], exact.out[d],
                          tolerance)
                  << IsaName(SupportedIsas()[i]) << " D" << c.head_dim << " row " << row << " head "
                  << h;
            }
          }
        }
      }
    }
  }
}

// One sequence through pages of fp32 and through the plain form.
TEST(VarlenAttention, EqualsPagedForm) {
  for (const Case& c : kCases) {
    const AttentionShape shape = ShapeOf(c);
    const cases::Sequence sequence(shape, c.tokens, 77);
    Batch b(shape, 0, c.tokens, true, 1);
    b.q = sequence.q;
    b.k = sequence.k;
    b.v = sequence.v;
    for (Isa isa : SupportedIsas()) {
      const KernelTable& kernels = KernelsFor(isa);
      sequence.WriteAll(kernels);
      std::vector<float> paged;
      sequence.Attend(kernels, sequence.Span(0, c.tokens), 0, c.tokens, b.LookAhead(), &paged);
      const Forward plain = RunForward(kernels, b);
      for (int64_t row = 0; row < c.tokens; ++row) {
        const KeyInterval seen = b.Seen(row);
        for (int64_t h = 0; h < c.heads; ++h) {
          const double tolerance =
              2 * cases::Tolerance(shape, b.Exact(row, h), seen.end - seen.begin, false);
          for (int64_t d = 0; d < c.head_dim; ++d) {
            const int64_t at = (row * c.heads + h) * c.head_dim + d;
            ASSERT_NEAR(paged[at], plain.out[at], isa == Isa::kRef ? tolerance : 0.0)
                << IsaName(isa) << " D" << c.head_dim << " row " << row << " head " << h;
          }
        }
      }
    }
  }
}

double LargestOf(const std::vector<float>& values) {
  double largest = 0.0;
  for (float x : values) largest = std::max(largest, std::fabs(double{x}));
  return largest;
}

// Rounding errors of a gradient: sums over tokens of products of sums over features, all in fp32.
double GradientTolerance(const Batch& b, const std::vector<float>& gradient) {
  return static_cast<double>(b.shape.head_dim + b.tokens + 32) * 0x1p-23 *
         (1.0 + LargestOf(gradient));
}

TEST(VarlenAttention, BackwardEqualsFiniteDifferences) {
  constexpr float kStep = 0x1p-14f;
  for (const Case& c :
       {Case{4, 2, 6, 0, 3, 11}, Case{2, 1, 4, 9, 7, 45}, Case{1, 1, 2, 0, 0, 37}}) {
    Batch b(ShapeOf(c), c.first, c.tokens, c.window != 9, 11);
    std::vector<Gradients> results;
    for (Isa isa : SupportedIsas()) results.push_back(RunBackward(KernelsFor(isa), b, 0.0f));
    const auto check = [&](std::vector<float>* x, std::vector<float> Gradients::*gradient,
                           const char* name) {
      for (size_t i = 0; i < x->size(); ++i) {
        const float value = (*x)[i];
        (*x)[i] = value + kStep;
        const double above = b.Loss();
        (*x)[i] = value - kStep;
        const double below = b.Loss();
        (*x)[i] = value;
        const double expected = (above - below) / (2.0 * kStep);
        for (size_t isa = 0; isa < results.size(); ++isa) {
          const std::vector<float>& got = results[isa].*gradient;
          // Third derivatives are below 2^6 here: the step costs at most 2^6 * 2^-28.
          ASSERT_NEAR(got[i], expected, GradientTolerance(b, got) + 0x1p-22)
              << IsaName(SupportedIsas()[isa]) << " " << name << " at " << i;
        }
      }
    };
    check(&b.q, &Gradients::dq, "dq");
    check(&b.k, &Gradients::dk, "dk");
    check(&b.v, &Gradients::dv, "dv");
  }
}

TEST(VarlenAttention, BackwardOfEveryIsaAgreesAndAccumulates) {
  for (const Case& c : kCases) {
    for (bool images : {false, true}) {
      const Batch b(ShapeOf(c), c.first, c.tokens, images, 5);
      const Gradients expected = RunBackward(KernelsFor(Isa::kRef), b, 0.0f);
      for (Isa isa : SupportedIsas()) {
        const Gradients got = RunBackward(KernelsFor(isa), b, 0.5f);
        for (auto member : {&Gradients::dq, &Gradients::dk, &Gradients::dv}) {
          const double tolerance = 2 * GradientTolerance(b, expected.*member);
          for (size_t i = 0; i < (expected.*member).size(); ++i) {
            ASSERT_NEAR((got.*member)[i], (expected.*member)[i] + 0.5f, tolerance)
                << IsaName(isa) << " D" << c.head_dim << " tokens " << c.tokens << " at " << i;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace galen
