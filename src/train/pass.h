// What forward passes of all tasks share.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>

#include "ops/exec_context.h"
#include "ops/tape.h"

namespace galen {

struct TrainPass {
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  Compute compute = Compute::kBf16;
  bool recompute = false;
};

// One arithmetic whatever the number of rows and workers. The arena is begun anew.
inline ExecContext NewPass(const TrainPass& options, Arena* arena) {
  arena->Rewind(0);
  ExecContext ctx;
  ctx.kernels = options.kernels;
  ctx.pool = options.pool;
  ctx.arena = arena;
  ctx.compute = options.compute;
  ctx.recompute = options.recompute;
  ctx.batch_invariant = true;
  return ctx;
}

// The value of the loss that forward(ctx) gives. backward: adds to the gradients, unless the loss
// is not finite. forward may return an empty tensor, whose loss is 0.
template <typename Forward>
double LossOf(ExecContext& ctx, bool backward, const Forward& forward) {
  Tape tape;
  if (backward) ctx.tape = &tape;
  const Tensor loss = forward(ctx);
  if (loss.empty()) return 0;
  const double value = *loss.f32();
  if (backward && std::isfinite(value)) {
    GradMap grads(ctx.arena);
    tape.Backward(ctx, loss, grads);
  }
  return value;
}

// The first activation that forward(ctx) shows to an observer and that is not finite; empty: all
// are.
template <typename Forward>
std::string FirstBadOf(ExecContext& ctx, const Forward& forward) {
  std::string first;
  const std::function<void(std::string_view, const Tensor&)> observer = [&](std::string_view name,
                                                                            const Tensor& x) {
    const float* begin = x.f32();
    const bool finite =
        std::all_of(begin, begin + x.num_elements(), [](float v) { return std::isfinite(v); });
    if (first.empty() && !finite) first = name;
  };
  ctx.observer = &observer;
  forward(ctx);
  ctx.observer = nullptr;
  return first;
}

}  // namespace galen
