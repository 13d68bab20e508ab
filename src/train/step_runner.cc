#include "train/step_runner.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/tape.h"

namespace galen {

Result<StepRunner> StepRunner::Create(const CausalLM& model, const StepRunnerOptions& options,
                                      int64_t arena_bytes) {
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(arena_bytes));
  return StepRunner(&model, options, std::move(arena));
}

ExecContext StepRunner::Context() {
  ExecContext ctx;
  ctx.kernels = options_.kernels;
  ctx.pool = options_.pool;
  ctx.arena = &arena_;
  ctx.compute = options_.compute;
  ctx.recompute = options_.recompute;
  ctx.batch_invariant = true;
  return ctx;
}

double StepRunner::Loss(const FlatBatch& batch, double divisor, bool backward,
                        uint64_t dropout_key) {
  arena_.Rewind(0);
  ExecContext ctx = Context();
  ctx.dropout_key = dropout_key;
  Tape tape;
  if (backward) ctx.tape = &tape;
  const Tensor x = model_->Hidden(ctx, batch.batch());
  if (x.empty()) return 0;
  const Tensor loss = HeadCrossEntropy(ctx, x, model_->head(), batch.targets, divisor);
  const double value = *loss.f32();
  if (backward && std::isfinite(value)) {
    GradMap grads(&arena_);
    tape.Backward(ctx, loss, grads);
  }
  return value;
}

std::string StepRunner::FirstBadActivation(const FlatBatch& batch) {
  arena_.Rewind(0);
  ExecContext ctx = Context();
  std::string first;
  const std::function<void(std::string_view, const Tensor&)> observer = [&](std::string_view name,
                                                                            const Tensor& x) {
    const float* begin = x.f32();
    const bool finite =
        std::all_of(begin, begin + x.num_elements(), [](float v) { return std::isfinite(v); });
    if (first.empty() && !finite) first = name;
  };
  ctx.observer = &observer;
  const Tensor x = model_->Hidden(ctx, batch.batch());
  if (!first.empty() || x.empty()) return first;
  ctx.observer = nullptr;
  const Tensor loss = HeadCrossEntropy(ctx, x, model_->head(), batch.targets, 1.0);
  return std::isfinite(*loss.f32()) ? "" : "logits";
}

}  // namespace galen
