// Paged attention and the page layout: every instruction set against float64 on odd shapes.
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <string>

#include "kernels/attention_cases.h"

namespace galen {
namespace {

using cases::Sequence;
using cases::Tolerance;

constexpr KvType kTypes[] = {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kI8};
const char* TypeName(KvType type) {
  return type == KvType::kF32    ? "f32"
         : type == KvType::kBf16 ? "bf16"
         : type == KvType::kF16  ? "f16"
                                 : "i8";
}

// {H, G}, head_dim and window change together so that all values of each occur with all kinds of
// the others.
struct Heads {
  int64_t heads, kv_heads;
};
constexpr Heads kHeads[] = {{1, 1}, {2, 1}, {6, 2}, {4, 1}, {8, 1}, {3, 3}, {8, 4}};
constexpr int64_t kHeadDims[] = {8, 64, 72, 80, 128, 256, 20, 2, 48};
constexpr int64_t kWindows[] = {0, 1, 31, 0, 32, 33, 100, 512};
// Rows [position, position + tokens) are computed.
struct Rows {
  int64_t position, tokens;
};
constexpr Rows kRows[] = {{0, 1},  {0, 5},   {0, 33},  {31, 2},  {63, 1},   {64, 9},
                          {90, 7}, {250, 9}, {500, 3}, {700, 1}, {1020, 6}, {2047, 1}};

struct Case {
  AttentionShape shape;
  Rows rows;
  uint64_t seed;
  std::string name;
};

std::vector<Case> Cases(KvType type) {
  std::vector<Case> all;
  for (uint64_t i = 0; i < 63; ++i) {
    Case c;
    const Heads heads = kHeads[i % std::size(kHeads)];
    c.shape.num_heads = heads.heads;
    c.shape.num_kv_heads = heads.kv_heads;
    c.shape.head_dim = kHeadDims[i % std::size(kHeadDims)];
    c.shape.window = kWindows[(i + i / 8) % std::size(kWindows)];
    c.shape.scale = 1.0f / std::sqrt(static_cast<float>(c.shape.head_dim));
    c.shape.kv_type = type;
    c.rows = kRows[(i + i / 12) % std::size(kRows)];
    c.seed = 1000 + i;
    c.name = std::string(TypeName(type)) + " H" + std::to_string(heads.heads) + " G" +
             std::to_string(heads.kv_heads) + " D" + std::to_string(c.shape.head_dim) + " window " +
             std::to_string(c.shape.window) + " rows " + std::to_string(c.rows.position) + "+" +
             std::to_string(c.rows.tokens);
    all.push_back(c);
  }
  return all;
}

// The first page that a window layer must still have for these rows.
int64_t FirstPage(const Case& c) {
  if (c.shape.window == 0) return 0;
  return std::max<int64_t>(0, c.rows.position - c.shape.window + 1) / kPageTokens;
}

// Every third row belongs to an image that ends some rows later.
std::vector<int32_t> LookAhead(const Case& c) {
  std::vector<int32_t> last(c.rows.position + c.rows.tokens);
  const int64_t end = static_cast<int64_t>(last.size());
  for (int64_t p = 0; p < end; ++p) {
    last[p] = static_cast<int32_t>(p % 3 == 0 ? std::min(p + 1 + p % 40, end - 1) : p);
  }
  return last;
}

bool MayRoundToBf16(Isa isa, const AttentionShape& shape) {
  return isa >= Isa::kAvx512Bf16 && shape.kv_type != KvType::kF32;
}

TEST(PagedAttention, EqualsFloat64) {
  for (KvType type : kTypes) {
    for (const Case& c : Cases(type)) {
      const int64_t end = c.rows.position + c.rows.tokens;
      Sequence sequence(c.shape, end, c.seed, FirstPage(c));
      sequence.WriteAll(KernelsFor(Isa::kRef));
      const std::vector<int32_t> look_ahead = LookAhead(c);
      const AttentionSpan span = sequence.Span(c.rows.position, end);
      const int64_t group = c.shape.num_heads / c.shape.num_kv_heads;
      for (const int32_t* last : {static_cast<const int32_t*>(nullptr), look_ahead.data()}) {
        std::vector<std::vector<float>> outs;
        for (Isa isa : SupportedIsas()) {
          outs.emplace_back();
          sequence.Attend(KernelsFor(isa), span, span.begin, span.end, last, &outs.back());
        }
        for (int64_t row = span.begin; row < span.end; ++row) {
          for (int64_t h = 0; h < c.shape.num_heads; ++h) {
            const int64_t at = (row * c.shape.num_heads + h) * c.shape.head_dim;
            const KeyInterval seen = VisibleKeysOfRow(c.shape, span, last, row);
            const cases::ExactRow exact = cases::ExactAttention(
                c.shape, sequence.q.data() + at, seen,
                [&](int64_t j, int64_t d) { return sequence.Key(j, h / group, d); },
                [&](int64_t j, int64_t d) { return sequence.Value(j, h / group, d); });
            for (size_t i = 0; i < outs.size(); ++i) {
              const Isa isa = SupportedIsas()[i];
              const double tolerance =
                  Tolerance(c.shape, exact, seen.end - seen.begin, MayRoundToBf16(isa, c.shape));
              for (int64_t d = 0; d < c.shape.head_dim; ++d) {
                ASSERT_NEAR(outs[i][at + d], exact.out[d], tolerance)
                    << IsaName(isa) << " " << c.name << " row " << row << " head " << h
                    << " feature " << d;
              }
            }
          }
        }
      }
    }
  }
}

// With q = 0 all weights are equal and exact in every arithmetic, so the result is the mean of
// small integers: a key too many or too few shows however many there are.
TEST(PagedAttention, SeesExactlyTheKeysOfTheMask) {
  for (KvType type : kTypes) {
    for (Case c : Cases(type)) {
      const int64_t end = c.rows.position + c.rows.tokens;
      Sequence sequence(c.shape, end, c.seed, FirstPage(c));
      std::fill(sequence.q.begin(), sequence.q.end(), 0.0f);
      const int64_t kv_row = c.shape.num_kv_heads * c.shape.head_dim;
      for (int64_t i = 0; i < end * kv_row; ++i) {
        const bool first = i % c.shape.head_dim == 0;  // 127 makes int8 exact
        sequence.v[i] = first ? 127.0f : std::trunc(sequence.v[i] * 100.0f);
      }
      sequence.WriteAll(KernelsFor(Isa::kRef));
      const std::vector<int32_t> look_ahead = LookAhead(c);
      const AttentionSpan span = sequence.Span(c.rows.position, end);
      const int64_t group = c.shape.num_heads / c.shape.num_kv_heads;
      for (Isa isa : SupportedIsas()) {
        for (bool invariant : {false, true}) {
          AttentionShape shape = c.shape;
          shape.invariant = invariant;
          std::vector<float> out(sequence.q.size());
          std::vector<float> scratch(
              KernelsFor(isa).paged_attention_scratch_bytes(shape, c.rows.tokens));
          for (int64_t g = 0; g < shape.num_kv_heads; ++g) {
            KernelsFor(isa).paged_attention(shape, span, sequence.q.data(), look_ahead.data(), g,
                                            span.begin, span.end, 0, 0, nullptr, out.data(),
                                            scratch.data());
          }
          for (int64_t row = span.begin; row < span.end; ++row) {
            const KeyInterval seen = VisibleKeysOfRow(shape, span, look_ahead.data(), row);
            for (int64_t h = 0; h < shape.num_heads; ++h) {
              for (int64_t d = 0; d < shape.head_dim; ++d) {
                double sum = 0.0;
                for (int64_t j = seen.begin; j < seen.end; ++j)
                  sum += sequence.v[j * kv_row + h / group * shape.head_dim + d];
                const double mean = sum / static_cast<double>(seen.end - seen.begin);
                ASSERT_NEAR(out[(row * shape.num_heads + h) * shape.head_dim + d], mean,
                            127 * 0x1p-22)
                    << IsaName(isa) << " " << c.name << " row " << row << " head " << h
                    << " feature " << d;
              }
            }
          }
        }
      }
    }
  }
}

// Partial results over ranges of keys, merged, equal the whole; cut at segments they have its bits.
TEST(PagedAttention, PartialsMerge) {
  for (KvType type : kTypes) {
    for (const Case& c : Cases(type)) {
      const int64_t end = c.rows.position + c.rows.tokens;
      Sequence sequence(c.shape, end, c.seed, FirstPage(c));
      sequence.WriteAll(KernelsFor(Isa::kRef));
      const AttentionSpan span = sequence.Span(c.rows.position, end);
      const AttentionShape& shape = c.shape;
      const int64_t group = shape.num_heads / shape.num_kv_heads;
      const int64_t part_floats = c.rows.tokens * group * (shape.head_dim + 2);
      for (Isa isa : SupportedIsas()) {
        const KernelTable& kernels = KernelsFor(isa);
        std::vector<float> whole;
        sequence.Attend(kernels, span, span.begin, span.end, nullptr, &whole);
        std::vector<uint8_t> scratch(kernels.paged_attention_scratch_bytes(shape, c.rows.tokens));
        for (int64_t step : {int64_t{96}, kSegmentTokens}) {
          const int64_t parts = (end + step - 1) / step;
          std::vector<float> partials(parts * part_floats), merged(whole.size());
          for (int64_t g = 0; g < shape.num_kv_heads; ++g) {
            for (int64_t p = 0; p < parts; ++p) {
              kernels.paged_attention(shape, span, sequence.q.data(), nullptr, g, span.begin,
                                      span.end, p * step, (p + 1) * step,
                                      partials.data() + p * part_floats, nullptr, scratch.data());
            }
            for (int64_t t = 0; t < c.rows.tokens; ++t) {
              kernels.merge_partials(
                  partials.data() + t * group * (shape.head_dim + 2), parts, part_floats, group,
                  shape.head_dim,
                  merged.data() +
                      ((span.begin + t) * shape.num_heads + g * group) * shape.head_dim);
            }
          }
          const bool bf16 = MayRoundToBf16(isa, shape);
          for (int64_t i = span.begin * shape.num_heads * shape.head_dim;
               i < static_cast<int64_t>(whole.size()); ++i) {
            if (step == kSegmentTokens) {
              ASSERT_EQ(merged[i], whole[i]) << IsaName(isa) << " " << c.name << " at " << i;
            } else {
              // |v| <= 1. Other blocks have other maxima, relative to which weights are rounded.
              ASSERT_NEAR(merged[i], whole[i], bf16 ? 2 * 0x1p-8 : 1e-5)
                  << IsaName(isa) << " " << c.name << " at " << i;
            }
          }
        }
      }
    }
  }
}

// shape.invariant: a row's bits are the same alone and among others, and when later tokens are not
// there yet.
TEST(PagedAttention, InvariantRows) {
  for (KvType type : kTypes) {
    for (int64_t head_dim : {int64_t{64}, int64_t{72}, int64_t{256}, int64_t{20}}) {
      for (Heads heads : {Heads{4, 1}, Heads{2, 2}, Heads{1, 1}}) {
        AttentionShape shape{
            heads.heads, heads.kv_heads, head_dim, 0.125f, head_dim == 72 ? 50 : 0, type, true};
        const int64_t begin = 1000, length = 1080;  // across a border of segments
        Sequence sequence(shape, length, 7), grown(shape, length, 7);
        for (Isa isa : SupportedIsas()) {
          if (isa == Isa::kRef && head_dim != 64) continue;  // slow, and one row at a time anyway
          const KernelTable& kernels = KernelsFor(isa);
          sequence.WriteAll(kernels);
          std::vector<float> whole, pieces, alone;
          sequence.Attend(kernels, sequence.Span(begin, length), begin, length, nullptr, &whole);
          int64_t step = 1;
          for (int64_t row = begin; row < length; step = step % 41 + 3) {
            const int64_t end = std::min(row + step, length);
            sequence.Attend(kernels, sequence.Span(begin, length), row, end, nullptr, &pieces);
            row = end;
          }
          grown.Write(kernels, 0, begin);
          for (int64_t row = begin; row < length; ++row) {
            grown.Write(kernels, row, row + 1);
            grown.Attend(kernels, grown.Span(row, row + 1), row, row + 1, nullptr, &alone);
          }
          const size_t from = static_cast<size_t>(begin * heads.heads * head_dim);
          ASSERT_EQ(0,
                    std::memcmp(&whole[from], &pieces[from], (whole.size() - from) * sizeof(float)))
              << IsaName(isa) << " " << TypeName(type) << " D" << head_dim << " H" << heads.heads;
          ASSERT_EQ(0,
                    std::memcmp(&whole[from], &alone[from], (whole.size() - from) * sizeof(float)))
              << IsaName(isa) << " " << TypeName(type) << " D" << head_dim << " H" << heads.heads;
        }
      }
    }
  }
}

// All writers store the same bytes, however the rows are cut, and numbers that are no numbers stay
// so.
TEST(KvWrite, EveryIsaStoresTheSameBytes) {
  for (KvType type : kTypes) {
    for (int64_t head_dim : {int64_t{2}, int64_t{20}, int64_t{72}, int64_t{256}, int64_t{300}}) {
      AttentionShape shape{2, 2, head_dim, 1.0f, 0, type, false};
      const int64_t length = 75;
      const int64_t bytes = KvPageBytes(type, 2, head_dim);
      Sequence expected(shape, length, 5);
      const float special[] = {0.0f,     -0.0f, 1e-41f,  -1e-30f,     65504.0f,
                               65520.0f, 1e30f, 3.0e-8f, 0.99999994f, 2.4999998f};
      for (size_t i = 0; i < std::size(special); ++i) {
        expected.k[i * 31 % (head_dim * 2)] = expected.v[head_dim * 4 + i * 17 % (head_dim * 2)] =
            special[i];
      }
      std::fill_n(expected.k.begin() + head_dim * 6, head_dim * 2, 0.0f);  // a zero vector
      std::fill_n(expected.v.begin() + head_dim * 8, head_dim * 2,
                  1e-44f);  // its scale has no inverse
      if (type != KvType::kF16) expected.k[head_dim * 10] = std::numeric_limits<float>::quiet_NaN();
      expected.v[head_dim * 10 + 1] = std::numeric_limits<float>::infinity();
      expected.Write(KernelsFor(Isa::kRef), 0, length);
      for (Isa isa : SupportedIsas()) {
        for (int64_t step : {int64_t{1}, int64_t{7}, length}) {
          Sequence written(shape, length, 5);
          written.k = expected.k;
          written.v = expected.v;
          const AttentionSpan span = written.Span(0, length);
          for (int64_t row = 0; row < length; row += step) {
            KernelsFor(isa).kv_write(shape, span, written.k.data(), written.v.data(), row,
                                     std::min(row + step, length));
          }
          for (size_t page = 0; page < expected.pages().size(); ++page) {
            for (int64_t i = 0; i < bytes; ++i) {
              ASSERT_EQ(int{written.pages()[page][i]}, int{expected.pages()[page][i]})
                  << IsaName(isa) << " " << TypeName(type) << " D" << head_dim << " step " << step
                  << " page " << page << " byte " << i;
            }
          }
        }
      }
    }
  }
}

// The stored values are the given ones, rounded once.
TEST(KvWrite, StoresRoundedValues) {
  for (KvType type : kTypes) {
    AttentionShape shape{3, 3, 20, 1.0f, 0, type, false};
    Sequence sequence(shape, 70, 9);
    sequence.WriteAll(KernelsFor(Isa::kRef));
    for (int64_t p = 0; p < 70; ++p) {
      for (int64_t g = 0; g < 3; ++g) {
        float largest_k = 0.0f, largest_v = 0.0f;
        for (int64_t d = 0; d < 20; ++d) {
          largest_k = std::max(largest_k, std::fabs(sequence.k[(p * 3 + g) * 20 + d]));
          largest_v = std::max(largest_v, std::fabs(sequence.v[(p * 3 + g) * 20 + d]));
        }
        for (int64_t d = 0; d < 20; ++d) {
          const double k = sequence.k[(p * 3 + g) * 20 + d], v = sequence.v[(p * 3 + g) * 20 + d];
          const double relative = type == KvType::kF32    ? 0.0
                                  : type == KvType::kBf16 ? 0x1p-8
                                                          : 0x1p-11;
          const bool int8 = type == KvType::kI8;
          // int8: half a step of largest / 127, and the rounding of the scale.
          EXPECT_NEAR(sequence.Key(p, g, d), k,
                      int8 ? largest_k * (0.5 / 127 + 0x1p-22) : std::fabs(k) * relative + 0x1p-25);
          EXPECT_NEAR(sequence.Value(p, g, d), v,
                      int8 ? largest_v * (0.5 / 127 + 0x1p-22) : std::fabs(v) * relative + 0x1p-25);
        }
      }
    }
  }
}

TEST(KvPages, Layout) {
  EXPECT_EQ(KvPageBytes(KvType::kBf16, 4, 256), 4 * 2 * 32 * 256 * 2);
  EXPECT_EQ(KvPageBytes(KvType::kF32, 1, 64), 2 * 32 * 64 * 4);
  EXPECT_EQ(KvPageBytes(KvType::kI8, 2, 20), 2 * (2 * 32 * 20 + 2 * 32 * 4));
  std::vector<int> k_uses(32 * 20), v_uses(32 * 20);
  for (int64_t slot = 0; slot < 32; ++slot) {
    for (int64_t d = 0; d < 20; ++d) {
      ++k_uses[KvPageLayout::KIndex(slot, d, 20)];
      ++v_uses[KvPageLayout::VIndex(slot, d, 20)];
    }
  }
  EXPECT_EQ(std::count(k_uses.begin(), k_uses.end(), 1), 32 * 20);
  EXPECT_EQ(std::count(v_uses.begin(), v_uses.end(), 1), 32 * 20);
}

}  // namespace
}  // namespace galen
