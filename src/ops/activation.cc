#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedActivation {
  ActivationKind kind;
  Tensor x, y;
};

void BackwardActivation(ExecContext& ctx, const SavedActivation& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  float* dx = grads.Accumulator(saved.x);
  ForElements(ctx, saved.x.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->activation_backward(saved.kind, saved.x.f32() + begin, dy + begin, end - begin,
                                     dx + begin);
  });
}

}  // namespace

Tensor Activation(ExecContext& ctx, ActivationKind kind, const Tensor& x) {
  Tensor y = x;
  y.data = ctx.arena->NewTensor({x.num_elements()}).data;
  ForElements(ctx, x.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->activation(kind, x.f32() + begin, end - begin, y.f32() + begin);
  });
  if (ctx.tape != nullptr && x.num_elements() > 0 && ctx.tape->Needs(x)) {
    ctx.tape->Record<BackwardActivation>(ctx.arena, SavedActivation{kind, x, y}, {y});
  }
  return y;
}

}  // namespace galen
