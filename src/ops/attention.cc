#include <algorithm>

#include "ops/attention_products.h"
#include "ops/ops.h"
#include "ops/round_up.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedAttention {
  AttentionShape shape;
  const AttentionSpan* spans;
  int64_t num_spans;
  int64_t longest;  // tokens of the longest span
  Tensor q, k, v, out, lse;
  const int32_t* look_ahead;
};

int64_t ScratchBytes(const ExecContext& ctx, const AttentionShape& shape, int64_t tokens) {
  return ctx.compute == Compute::kBf16 ? VarlenAttentionBytes(*ctx.kernels, shape, tokens)
                                       : ctx.kernels->attention_scratch_bytes(shape, tokens);
}

// Calls fn(item, scratch) for items 0..n-1, each worker with scratch of its own.
template <typename Fn>
void ForItems(const ExecContext& ctx, int64_t n, int64_t scratch_bytes, Fn&& fn) {
  const ArenaScope scope(ctx.arena);
  const int64_t stride = RoundUp(scratch_bytes, 64);
  uint8_t* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(stride * ctx.pool->size()));
  WorkQueue queue(n, 1);
  ctx.pool->Run([&](int worker) {
    int64_t begin, end;
    while (queue.Next(&begin, &end)) fn(begin, scratch + worker * stride);
  });
}

void BackwardAttention(ExecContext& ctx, const SavedAttention& saved, GradMap& grads) {
  const float* dout = grads.Find(saved.out);
  if (dout == nullptr) return;
  float* dq = grads.Accumulator(saved.q);
  float* dk = grads.Accumulator(saved.k);
  float* dv = grads.Accumulator(saved.v);
  const int64_t groups = saved.shape.num_kv_heads;
  const int64_t bytes = ScratchBytes(ctx, saved.shape, saved.longest);
  ForItems(ctx, saved.num_spans * groups, bytes, [&](int64_t item, void* scratch) {
    const AttentionSpan& span = saved.spans[item / groups];
    if (UsesAttentionProducts(*ctx.kernels, ctx.compute, span.end - span.begin)) {
      AttendBackwardByProducts(*ctx.kernels, saved.shape, span, saved.q.f32(), saved.k.f32(),
                               saved.v.f32(), saved.look_ahead, saved.out.f32(), saved.lse.f32(),
                               dout, item % groups, dq, dk, dv, scratch);
      return;
    }
    ctx.kernels->attention_backward(saved.shape, span, saved.q.f32(), saved.k.f32(), saved.v.f32(),
                                    saved.look_ahead, saved.out.f32(), saved.lse.f32(), dout,
                                    item % groups, dq, dk, dv, scratch);
  });
}

}  // namespace

Tensor Attention(ExecContext& ctx, const AttentionShape& shape,
                 std::span<const AttentionSpan> spans, const Tensor& q, const Tensor& k,
                 const Tensor& v, const int32_t* look_ahead) {
  const int64_t heads = shape.num_heads, head_dim = shape.head_dim;
  const int64_t tokens = q.num_elements() / (heads * head_dim);
  GALEN_CHECK(heads % shape.num_kv_heads == 0 && q.num_elements() == tokens * heads * head_dim);
  GALEN_CHECK(k.num_elements() == tokens * shape.num_kv_heads * head_dim &&
              v.num_elements() == k.num_elements());
  int64_t covered = 0, longest = 0;
  for (const AttentionSpan& span : spans) {
    GALEN_CHECK(span.begin == covered && span.end >= span.begin);
    longest = std::max(longest, span.end - span.begin);
    covered = span.end;
  }
  GALEN_CHECK(covered == tokens);
  Tensor out = ctx.arena->NewTensor({tokens, heads * head_dim});
  Tensor lse = ctx.arena->NewTensor({tokens, heads});
  if (tokens == 0) return out;
  const int64_t num_spans = static_cast<int64_t>(spans.size());
  const int64_t bytes = ScratchBytes(ctx, shape, longest);
  ForItems(ctx, num_spans * heads, bytes, [&](int64_t item, void* scratch) {
    const AttentionSpan& span = spans[item / heads];
    if (UsesAttentionProducts(*ctx.kernels, ctx.compute, span.end - span.begin)) {
      AttendByProducts(*ctx.kernels, shape, span, q.f32(), k.f32(), v.f32(), look_ahead,
                       item % heads, out.f32(), lse.f32(), scratch);
      return;
    }
    ctx.kernels->attention(shape, span, q.f32(), k.f32(), v.f32(), look_ahead, item % heads,
                           out.f32(), lse.f32(), scratch);
  });
  if (ctx.tape != nullptr && (ctx.tape->Needs(q) || ctx.tape->Needs(k) || ctx.tape->Needs(v))) {
    SavedAttention saved{
        shape, SaveValues(ctx.arena, spans), num_spans, longest, q, k, v, out, lse, nullptr};
    if (look_ahead != nullptr) {
      saved.look_ahead = SaveValues(ctx.arena, std::span<const int32_t>(look_ahead, tokens));
    }
    ctx.tape->Record<BackwardAttention>(ctx.arena, saved, {out});
  }
  return out;
}

}  // namespace galen
