#include "ops/block.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace galen::internal {
namespace {

struct SavedBlock {
  BlockForward forward;
  const void* saved;
  const Tape* inner;  // null: compute again
  Tensor x, y;
  bool need_x;
};

void BackwardBlock(ExecContext& ctx, const SavedBlock& block, GradMap& grads) {
  float* dy = grads.Find(block.y);
  if (dy == nullptr) return;
  const int64_t n = block.x.num_elements();
  // Nobody asks for dy again: dx takes its place, so that a chain of blocks needs one gradient.
  const bool in_place =
      block.need_x && block.y.num_elements() == n && grads.Find(block.x) == nullptr;
  float* dx = block.need_x && !in_place ? grads.Accumulator(block.x) : nullptr;
  const ArenaScope scope(ctx.arena);
  if (in_place) {
    dx = ctx.arena->NewTensor({n}).f32();
    std::fill_n(dx, n, 0.0f);
  }
  GradMap inside(ctx.arena);
  if (dx != nullptr) inside.Set(block.x, dx);
  if (block.inner != nullptr) {
    inside.Set(block.y, dy);
    block.inner->Run(ctx, inside);
  } else {
    Tape replay;
    if (block.need_x) replay.Watch(block.x);
    ExecContext forward = ctx;
    forward.tape = &replay;
    forward.recompute = false;
    inside.Set(block.forward(forward, block.saved, block.x), dy);
    replay.Run(ctx, inside);
  }
  if (!in_place) return;
  std::memcpy(dy, dx, sizeof(float) * static_cast<size_t>(n));
  grads.Move(block.y, block.x);
}

}  // namespace

Tensor RecordBlock(ExecContext& ctx, BlockForward forward, const void* saved, const Tensor& x) {
  Tape* outer = ctx.tape;
  const bool need_x = outer->Needs(x);
  if (!ctx.recompute) {
    Tape* inner = outer->AddInner();
    if (need_x) inner->Watch(x);
    ctx.tape = inner;
    const Tensor y = forward(ctx, saved, x);
    ctx.tape = outer;
    if (!y.empty() && inner->Needs(y)) {
      outer->Record<BackwardBlock>(ctx.arena, SavedBlock{forward, saved, inner, x, y, need_x}, {y});
    }
    return y;
  }
  // Without a tape a block may write over its input: it gets a copy, and its output goes there.
  Tensor kept = ctx.arena->NewTensor({x.rows(), x.cols()});
  std::memcpy(kept.data, x.data, sizeof(float) * static_cast<size_t>(x.num_elements()));
  const int64_t mark = ctx.arena->mark();
  ctx.tape = nullptr;
  const Tensor y = forward(ctx, saved, kept);
  ctx.tape = outer;
  if (y.empty()) return y;
  GALEN_CHECK(y.rank == 2 && y.num_elements() <= x.num_elements());
  std::memmove(kept.data, y.data, sizeof(float) * static_cast<size_t>(y.num_elements()));
  kept = MakeTensor(kept.f32(), {y.rows(), y.cols()});
  ctx.arena->Rewind(mark);
  outer->Record<BackwardBlock>(ctx.arena, SavedBlock{forward, saved, nullptr, x, kept, need_x},
                               {kept});
  return kept;
}

}  // namespace galen::internal
