// The paged form against the variable-length form, and the rules about bits.
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class PagedAttentionOp : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, PagedAttentionOp, ::testing::ValuesIn(SupportedIsas()),
                         IsaTestName);

// The pages of one sequence.
class Cache {
 public:
  Cache(const AttentionShape& shape, int64_t tokens) {
    const int64_t bytes = KvPageBytes(shape.kv_type, shape.num_kv_heads, shape.head_dim);
    const int64_t count = (tokens + kPageTokens - 1) / kPageTokens;
    memory_ = std::move(*PageBuffer::Allocate(bytes * count, "test pages"));
    for (int64_t i = 0; i < count; ++i) pages_.push_back(memory_.data() + i * bytes);
  }
  KvPages pages(int64_t first_page = 0) const { return {pages_.data() + first_page, first_page}; }

 private:
  PageBuffer memory_;
  std::vector<uint8_t*> pages_;
};

struct Inputs {
  Inputs(const AttentionShape& shape, int64_t tokens)
      : q(Uniform(tokens * shape.num_heads * shape.head_dim, 1, 2.0f)),
        k(Uniform(tokens * shape.num_kv_heads * shape.head_dim, 2, 2.0f)),
        v(Uniform(tokens * shape.num_kv_heads * shape.head_dim, 3)) {}
  std::vector<float> q, k, v;
};

// Attends tokens [0, tokens) of one sequence in chunks of the given sizes (the last repeats) and
// returns all outputs.
std::vector<float> InChunks(ExecContext& ctx, const AttentionShape& shape, Inputs& in,
                            int64_t tokens, const std::vector<int64_t>& chunks,
                            const int32_t* look_ahead = nullptr) {
  const Cache cache(shape, tokens);
  std::vector<float> out;
  const int64_t qd = shape.num_heads * shape.head_dim, kd = shape.num_kv_heads * shape.head_dim;
  size_t chunk = 0;
  for (int64_t t = 0; t < tokens;) {
    const int64_t n = std::min(chunks[std::min(chunk++, chunks.size() - 1)], tokens - t);
    const int64_t oldest =
        shape.window > 0 ? std::max<int64_t>(0, t - shape.window + 1) / kPageTokens : 0;
    const AttentionSpan spans[] = {{0, n, t, cache.pages(oldest)}};
    const ArenaScope scope(ctx.arena);
    const Tensor y = PagedAttention(ctx, shape, spans, MakeTensor(in.q.data() + t * qd, {n, qd}),
                                    MakeTensor(in.k.data() + t * kd, {n, kd}),
                                    MakeTensor(in.v.data() + t * kd, {n, kd}),
                                    look_ahead == nullptr ? nullptr : look_ahead + t);
    out.insert(out.end(), y.f32(), y.f32() + y.num_elements());
    t += n;
  }
  return out;
}

AttentionShape Shape(int64_t heads, int64_t groups, int64_t head_dim, int64_t window, KvType type) {
  return {heads, groups, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), window, type};
}

// A weighted mean of values below 1: sums of up to `keys` products, and scores off by some units,
// which the exponential turns into as much relative error of the weights.
float Tolerance(int64_t keys) { return (6 * std::sqrt(static_cast<float>(keys)) + 64) * 0x1p-24f; }

TEST_P(PagedAttentionOp, EqualsTheVariableLengthForm) {
  const int64_t tokens = kSegmentTokens + 76;  // two segments of keys
  for (int64_t window : {0, 100}) {
    const AttentionShape shape = Shape(4, 2, 64, window, KvType::kF32);
    Inputs in(shape, tokens);
    std::vector<int32_t> look_ahead(tokens, 0);
    for (int64_t t = 40; t < 90; ++t) look_ahead[t] = 89;
    for (const int32_t* image :
         {static_cast<const int32_t*>(nullptr), static_cast<const int32_t*>(look_ahead.data())}) {
      const AttentionSpan whole[] = {{0, tokens, 0, {}}};
      const std::vector<float> want =
          Values(Attention(ctx, shape, whole, Wrap(in.q, {tokens, 4, 64}),
                           Wrap(in.k, {tokens, 2, 64}), Wrap(in.v, {tokens, 2, 64}), image));
      for (bool invariant : {false, true}) {
        ctx.batch_invariant = invariant;
        for (const std::vector<int64_t>& chunks :
             {std::vector<int64_t>{tokens}, {90, 33, 1, 500, 1}}) {
          const std::vector<float> got = InChunks(ctx, shape, in, tokens, chunks, image);
          ASSERT_EQ(got.size(), want.size());
          for (size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], want[i], Tolerance(tokens))
                << "token " << i / 256 << " window " << window;
          }
        }
      }
    }
  }
}

// Batch-invariant mode: neither the chunks a prompt is cut into, nor the other sequences, nor the
// workers change a bit.
TEST_P(PagedAttentionOp, InvariantBits) {
  const int64_t tokens = kSegmentTokens + 46;
  for (KvType type : {KvType::kBf16, KvType::kF32, KvType::kI8}) {
    const AttentionShape shape = Shape(2, 1, 32, 0, type);
    Inputs in(shape, tokens);
    std::vector<float> first;
    for (int workers : {1, 2, 3}) {
      TestContext other(GetParam(), workers);
      other.ctx.batch_invariant = true;
      for (const std::vector<int64_t>& chunks :
           {std::vector<int64_t>{tokens}, {17, 300, 5, 64, 200, kSegmentTokens - 600, 1}}) {
        const std::vector<float> got = InChunks(other.ctx, shape, in, tokens, chunks);
        if (first.empty()) first = got;
        const auto differs =
            std::mismatch(got.begin(), got.end(), first.begin(), first.end()).first - got.begin();
        ASSERT_EQ(differs, static_cast<int64_t>(first.size()))
            << "token " << differs / 64 << " type " << static_cast<int>(type) << " workers "
            << workers << " chunk " << chunks[0];
      }
    }
  }
}

// Decoding several sequences at once gives each the bits that it gets alone, in any mode: keys are
// cut at absolute places.
TEST_P(PagedAttentionOp, DecodeBitsDoNotDependOnTheBatch) {
  const AttentionShape shape = Shape(4, 2, 32, 0, KvType::kBf16);
  const int64_t lengths[] = {3, 1500, 33, 2049, 1024};
  const int64_t qd = 128, kd = 64;
  std::vector<std::unique_ptr<Cache>> caches;
  std::vector<AttentionSpan> spans;
  for (int64_t n : lengths) {
    Inputs in(shape, n);
    caches.push_back(std::make_unique<Cache>(shape, n + 1));
    const AttentionSpan prompt[] = {{0, n, 0, caches.back()->pages()}};
    const ArenaScope scope(ctx.arena);
    PagedAttention(ctx, shape, prompt, MakeTensor(in.q.data(), {n, qd}),
                   MakeTensor(in.k.data(), {n, kd}), MakeTensor(in.v.data(), {n, kd}), nullptr);
    const int64_t i = static_cast<int64_t>(spans.size());
    spans.push_back({i, i + 1, n, caches.back()->pages()});
  }
  Inputs next(shape, 5);
  const Tensor q = Wrap(next.q, {5, qd}), k = Wrap(next.k, {5, kd}), v = Wrap(next.v, {5, kd});
  const std::vector<float> together = Values(PagedAttention(ctx, shape, spans, q, k, v, nullptr));
  for (int workers : {1, 3}) {
    TestContext other(GetParam(), workers);
    ASSERT_EQ(Values(PagedAttention(other.ctx, shape, spans, q, k, v, nullptr)), together);
    for (int64_t i = 0; i < 5; ++i) {
      AttentionSpan span = spans[i];
      span.begin = 0;
      span.end = 1;
      const std::vector<float> alone = Values(PagedAttention(
          other.ctx, shape, {&span, 1}, q.Rows(i, 1), k.Rows(i, 1), v.Rows(i, 1), nullptr));
      ASSERT_EQ(alone,
                std::vector<float>(together.begin() + i * qd, together.begin() + (i + 1) * qd))
          << i;
    }
  }
}

// Keys are there only as far as they were written, and dropped pages are not asked for.
TEST_P(PagedAttentionOp, SpansThatReadWhatIsNotThereAreRefused) {
  const AttentionShape shape = Shape(2, 1, 32, 0, KvType::kF32);
  Inputs in(shape, 40);
  const Cache cache(shape, 80);
  const Tensor q = Wrap(in.q, {40, 64}), k = Wrap(in.k, {40, 32}), v = Wrap(in.v, {40, 32});
  const AttentionSpan dropped[] = {{0, 40, 40, cache.pages(1)}};
  EXPECT_THROW(PagedAttention(ctx, shape, dropped, q, k, v, nullptr), InternalError);
  std::vector<int32_t> look_ahead(40, 0);
  look_ahead[3] = 40;
  const AttentionSpan span[] = {{0, 40, 0, cache.pages()}};
  EXPECT_THROW(PagedAttention(ctx, shape, span, q, k, v, look_ahead.data()), InternalError);
  Tape tape;
  ctx.tape = &tape;
  EXPECT_THROW(PagedAttention(ctx, shape, span, q, k, v, nullptr), InternalError);
}

}  // namespace
}  // namespace galen
