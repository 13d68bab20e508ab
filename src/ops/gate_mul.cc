#include "ops/gate_mul.h"

#include <algorithm>
#include <array>

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

void MakeGateMul(const ExecContext& ctx, GateKind kind, const Tensor& gate, const Tensor& up,
                 float* y) {
  ForElements(ctx, gate.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->gate_mul(kind, gate.f32() + begin, up.f32() + begin, end - begin, y + begin);
  });
}

void GateMulGradientInPlace(const ExecContext& ctx, GateKind kind, const float* dy, int64_t n,
                            float* gate, float* up) {
  // The kernel adds to sums that it may not read its operands from: some values at a time, in
  // cache.
  constexpr int64_t kValues = 1024;
  ForElements(ctx, n, [&](int64_t begin, int64_t end) {
    alignas(64) std::array<float, kValues> dgate, dup;
    for (int64_t at = begin; at < end; at += kValues) {
      const int64_t count = std::min(kValues, end - at);
      std::fill_n(dgate.data(), count, 0.0f);
      std::fill_n(dup.data(), count, 0.0f);
      ctx.kernels->gate_mul_backward(kind, gate + at, up + at, dy + at, count, dgate.data(),
                                     dup.data());
      std::copy_n(dgate.data(), count, gate + at);
      std::copy_n(dup.data(), count, up + at);
    }
  });
}

Tensor GateMul(ExecContext& ctx, GateKind kind, const Tensor& gate, const Tensor& up) {
  GALEN_CHECK(gate.rows() == up.rows() && gate.cols() == up.cols());
  Tensor y = ctx.arena->NewTensor({gate.rows(), gate.cols()});
  MakeGateMul(ctx, kind, gate, up, y.f32());
  if (ctx.tape != nullptr && (ctx.tape->Needs(gate) || ctx.tape->Needs(up))) {
    ctx.tape->Record<BackwardGateMul>(ctx.arena, SavedGateMul{kind, gate, up, y}, {y});
  }
  return y;
}

}  // namespace galen
