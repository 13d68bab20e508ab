#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedGateMul {
  GateKind kind;
  Tensor gate, up, y;
};

void BackwardGateMul(ExecContext& ctx, const SavedGateMul& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  float* dgate = grads.Accumulator(saved.gate);
  float* dup = grads.Accumulator(saved.up);
  ForElements(ctx, saved.y.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->gate_mul_backward(saved.kind, saved.gate.f32() + begin, saved.up.f32() + begin,
                                   dy + begin, end - begin, dgate + begin, dup + begin);
  });
}

}  // namespace

Tensor GateMul(ExecContext& ctx, GateKind kind, const Tensor& gate, const Tensor& up) {
  GALEN_CHECK(gate.rows() == up.rows() && gate.cols() == up.cols());
  Tensor y = ctx.arena->NewTensor({gate.rows(), gate.cols()});
  ForElements(ctx, y.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->gate_mul(kind, gate.f32() + begin, up.f32() + begin, end - begin, y.f32() + begin);
  });
  if (ctx.tape != nullptr && (ctx.tape->Needs(gate) || ctx.tape->Needs(up))) {
    ctx.tape->Record<BackwardGateMul>(ctx.arena, SavedGateMul{kind, gate, up, y}, {y});
  }
  return y;
}

}  // namespace galen
