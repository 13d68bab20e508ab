// A block of a model (a layer, say) as one record of the tape. The gradients of what is inside a
// block are dropped as soon as its own pass back is done. With ctx.recompute its activations are
// dropped as well: the input is kept, and the pass back computes the block again, with the same
// bits.
#pragma once

#include <new>
#include <type_traits>

#include "ops/exec_context.h"
#include "ops/tape.h"
#include "tensor/tensor.h"

namespace galen {

namespace internal {
using BlockForward = Tensor (*)(ExecContext& ctx, const void* saved, const Tensor& x);
Tensor RecordBlock(ExecContext& ctx, BlockForward forward, const void* saved, const Tensor& x);
}  // namespace internal

// y = kForward(ctx, saved, x), x and y [rows, cols], y no larger than x. `saved`: what it needs
// beside x, copied into the arena; what that points to must stay until the tape has run. Without a
// tape y may take the place of x.
template <auto kForward, typename Saved>
Tensor RunBlock(ExecContext& ctx, const Saved& saved, const Tensor& x) {
  static_assert(std::is_trivially_copyable_v<Saved> && std::is_trivially_destructible_v<Saved>);
  if (ctx.tape == nullptr) return kForward(ctx, saved, x);
  const void* copy = new (ctx.arena->Allocate(sizeof(Saved))) Saved(saved);
  return internal::RecordBlock(
      ctx,
      [](ExecContext& c, const void* data, const Tensor& input) {
        return kForward(c, *static_cast<const Saved*>(data), input);
      },
      copy, x);
}

}  // namespace galen
