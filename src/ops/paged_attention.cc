// Attention over the paged cache: keys and values of all spans are written, then every span reads
// its pages. Work is cut into pieces without regard to the number of workers, so that the bits do
// not depend on it.
#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/round_up.h"

namespace galen {
namespace {

// A span of at most this many rows (decode, short continuations, drafts) is also cut by keys, at
// kSegmentTokens, so that a long context spreads over the workers. That changes no bit
// (kernels/attention.h).
constexpr int64_t kFewRows = 8;
// (token, query head) rows that one call of the kernel takes: enough to reuse each page from the
// first-level cache.
constexpr int64_t kPageRows = 128;

// Rows [row0, row1) of one span, all keys that they can see: [key0, key1), cut into `segments`.
struct Block {
  const AttentionSpan* span;
  int64_t row0, row1;
  int64_t key0, key1;
  int64_t segments;
  float* partials;  // [kv head][segment][row, query head of the group][D + 2]; null: one call takes
                    // all keys
};

struct Plan {
  const AttentionShape* shape;
  const Tensor* q;
  const int32_t* look_ahead;
  float* out;
  int64_t group;        // query heads of one key/value head
  int64_t partial_row;  // floats of one partial row
  Block* blocks;
  int64_t num_blocks = 0;
  int64_t most_rows = 0;
};

int64_t PartStride(const Plan& plan, const Block& block) {
  return (block.row1 - block.row0) * plan.group * plan.partial_row;
}

void SetKeys(const AttentionShape& shape, const int32_t* look_ahead, Block* block) {
  const AttentionSpan& span = *block->span;
  const int64_t first = span.position + block->row0 - span.begin;
  int64_t last = span.position + block->row1 - 1 - span.begin;
  for (int64_t t = block->row0; look_ahead != nullptr && t < block->row1; ++t) {
    last = std::max<int64_t>(last, look_ahead[t]);
  }
  GALEN_CHECK(last < span.position + span.end - span.begin);  // later keys have not been written
  const int64_t oldest = shape.window > 0 ? std::max<int64_t>(0, first - shape.window + 1) : 0;
  block->key0 = oldest / kPageTokens * kPageTokens;
  block->key1 = last + 1;
  GALEN_CHECK(block->key0 / kPageTokens >= span.kv.first_page);
}

int64_t NumSegments(const Block& block) {
  return (block.key1 - 1) / kSegmentTokens - block.key0 / kSegmentTokens + 1;
}

void MergeSegments(const KernelTable& kernels, const Plan& plan, const Block& block, int64_t g,
                   const float* partials) {
  const int64_t head_dim = plan.shape->head_dim;
  for (int64_t t = block.row0; t < block.row1; ++t) {
    kernels.merge_partials(partials + (t - block.row0) * plan.group * plan.partial_row,
                           block.segments, PartStride(plan, block), plan.group, head_dim,
                           plan.out + (t * plan.shape->num_heads + g * plan.group) * head_dim);
  }
}

// One item of work for each (kv head, segment of keys) of a block.
int64_t ItemCount(const Plan& plan, const Block& block) {
  return plan.shape->num_kv_heads * block.segments;
}

void RunItem(const KernelTable& kernels, const Plan& plan, const Block& block, int64_t item,
             void* scratch) {
  const int64_t g = item / block.segments, segment = item % block.segments;
  int64_t key0 = block.key0, key1 = block.key1;
  float* partial = nullptr;
  if (block.partials != nullptr) {
    const int64_t start = (block.key0 / kSegmentTokens + segment) * kSegmentTokens;
    key0 = std::max(start, key0);
    key1 = std::min(start + kSegmentTokens, key1);
    partial = block.partials + item * PartStride(plan, block);
  }
  kernels.paged_attention(*plan.shape, *block.span, plan.q->f32(), plan.look_ahead, g, block.row0,
                          block.row1, key0, key1, partial, plan.out, scratch);
}

// Later rows see more keys: they go first, so that the last pieces are small.
void MakeBlocks(const ExecContext& ctx, std::span<const AttentionSpan> spans, Plan* plan) {
  const int64_t block_rows = std::clamp<int64_t>(kPageRows / plan->group, 16, 64);
  int64_t most = 0;
  for (const AttentionSpan& span : spans)
    most += (span.end - span.begin + block_rows - 1) / block_rows;
  plan->blocks =
      static_cast<Block*>(ctx.arena->Allocate(most * static_cast<int64_t>(sizeof(Block))));
  for (const AttentionSpan& span : spans) {
    const bool few = span.end - span.begin <= kFewRows;
    for (int64_t row1 = span.end; row1 > span.begin;) {
      const int64_t row0 = span.begin + (row1 - 1 - span.begin) / block_rows * block_rows;
      Block block{&span, row0, row1, 0, 0, 1, nullptr};
      SetKeys(*plan->shape, plan->look_ahead, &block);
      if (few) block.segments = NumSegments(block);
      if (block.segments > 1) {
        block.partials =
            ctx.arena->NewTensor({ItemCount(*plan, block) * PartStride(*plan, block)}).f32();
      }
      plan->most_rows = std::max(plan->most_rows, row1 - row0);
      plan->blocks[plan->num_blocks++] = block;
      row1 = row0;
    }
  }
}

// Pages that span's rows fall on, and the rows of the i-th of them. A page is written by one
// worker: its tokens lie interleaved.
int64_t PagesTouched(const AttentionSpan& span) {
  if (span.begin == span.end) return 0;
  return (span.position + span.end - span.begin - 1) / kPageTokens - span.position / kPageTokens +
         1;
}

void WritePage(const KernelTable& kernels, const AttentionShape& shape, const AttentionSpan& span,
               int64_t i, const float* k, const float* v) {
  const int64_t page_start = (span.position / kPageTokens + i) * kPageTokens;
  const int64_t row0 = std::max(page_start - span.position, int64_t{0}) + span.begin;
  const int64_t row1 = std::min(page_start + kPageTokens - span.position + span.begin, span.end);
  kernels.kv_write(shape, span, k, v, row0, row1);
}

// Calls fn(group, offset) for item `index` of the concatenation of groups with count(i) items each.
template <typename Count, typename Fn>
void AtIndex(int64_t index, int64_t groups, Count&& count, Fn&& fn) {
  for (int64_t i = 0; i < groups; ++i) {
    const int64_t n = count(i);
    if (index < n) return fn(i, index);
    index -= n;
  }
}

}  // namespace

Tensor PagedAttention(ExecContext& ctx, const AttentionShape& asked,
                      std::span<const AttentionSpan> spans, const Tensor& q, const Tensor& k,
                      const Tensor& v, const int32_t* look_ahead) {
  GALEN_CHECK(ctx.tape == nullptr);
  AttentionShape shape = asked;
  shape.invariant = ctx.batch_invariant || ctx.invariant_attention;
  const KernelTable& kernels = *ctx.kernels;
  const int64_t heads = shape.num_heads, head_dim = shape.head_dim, groups = shape.num_kv_heads;
  const int64_t tokens = q.num_elements() / (heads * head_dim);
  GALEN_CHECK(heads % groups == 0 && q.num_elements() == tokens * heads * head_dim);
  GALEN_CHECK(k.num_elements() == tokens * groups * head_dim &&
              v.num_elements() == k.num_elements());
  const int64_t num_spans = static_cast<int64_t>(spans.size());
  int64_t covered = 0, pages = 0;
  for (const AttentionSpan& span : spans) {
    GALEN_CHECK(span.begin == covered && span.end >= span.begin && span.position >= 0);
    covered = span.end;
    pages += PagesTouched(span);
  }
  GALEN_CHECK(covered == tokens);
  Tensor out = ctx.arena->NewTensor({tokens, heads * head_dim});
  if (tokens == 0) return out;

  const ArenaScope scope(ctx.arena);
  Plan plan{&shape, &q, look_ahead, out.f32(), heads / groups, head_dim + 2, nullptr};
  MakeBlocks(ctx, spans, &plan);
  int64_t items = 0, merges = 0, products = 0;
  for (int64_t i = 0; i < plan.num_blocks; ++i) {
    const Block& block = plan.blocks[i];
    items += ItemCount(plan, block);
    if (block.partials != nullptr) merges += groups;
    products += (block.row1 - block.row0) * (block.key1 - block.key0) * heads * head_dim;
  }
  const bool alone = ctx.pool->size() == 1 || items == 1 || products < kInlineProducts;
  const int workers = alone ? 1 : ctx.pool->size();
  const int64_t scratch_stride =
      RoundUp(kernels.paged_attention_scratch_bytes(shape, plan.most_rows), 64);
  uint8_t* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(scratch_stride * workers));

  const auto write = [&](int64_t index) {
    AtIndex(
        index, num_spans, [&](int64_t i) { return PagesTouched(spans[i]); },
        [&](int64_t i, int64_t page) {
          WritePage(kernels, shape, spans[i], page, k.f32(), v.f32());
        });
  };
  const auto read = [&](int64_t index, int worker) {
    AtIndex(
        index, plan.num_blocks, [&](int64_t i) { return ItemCount(plan, plan.blocks[i]); },
        [&](int64_t i, int64_t item) {
          RunItem(kernels, plan, plan.blocks[i], item, scratch + worker * scratch_stride);
        });
  };
  const auto merge = [&](int64_t index) {
    AtIndex(
        index, plan.num_blocks,
        [&](int64_t i) { return plan.blocks[i].partials != nullptr ? groups : 0; },
        [&](int64_t i, int64_t g) {
          const Block& block = plan.blocks[i];
          MergeSegments(kernels, plan, block, g,
                        block.partials + g * block.segments * PartStride(plan, block));
        });
  };

  // A few pages (decode) are written before the region, which saves a barrier.
  constexpr int64_t kFewPages = 4;
  const bool few_pages = alone || (pages <= kFewPages && tokens <= kFewRows);
  for (int64_t i = 0; few_pages && i < pages; ++i) write(i);
  if (alone) {
    for (int64_t i = 0; i < items; ++i) read(i, 0);
    for (int64_t i = 0; i < merges; ++i) merge(i);
    return out;
  }
  WorkQueue write_queue(pages, 1), read_queue(items, 1), merge_queue(merges, 1);
  ctx.pool->Run([&](int worker) {
    int64_t begin, end;
    if (!few_pages) {
      while (write_queue.Next(&begin, &end)) write(begin);
      ctx.pool->Barrier();
    }
    while (read_queue.Next(&begin, &end)) read(begin, worker);
    if (merges == 0) return;
    ctx.pool->Barrier();
    while (merge_queue.Next(&begin, &end)) merge(begin);
  });
  return out;
}

}  // namespace galen
