#include "ops/linear_input.h"

#include "ops/gate_mul.h"
#include "ops/ops.h"
#include "ops/rms_norm.h"

namespace galen {

LinearInput LinearInput::Gated(GateKind kind, const Tensor& gate, const Tensor& up) {
  LinearInput input(gate);
  input.kind_ = Kind::kGated;
  input.gate_kind_ = kind;
  input.up_ = up;
  return input;
}

LinearInput LinearInput::Normed(const Tensor& x, const VectorParam& w, float eps) {
  LinearInput input(x);
  input.kind_ = Kind::kNormed;
  input.w_ = w;
  input.eps_ = eps;
  return input;
}

Tensor LinearInput::Whole(ExecContext& ctx) const {
  if (kind_ == Kind::kGated) return GateMul(ctx, gate_kind_, source_, up_);
  if (kind_ == Kind::kNormed) return RmsNorm(ctx, source_, w_, eps_);
  return source_;
}

void LinearInput::Make(const ExecContext& ctx, float* y) const {
  GALEN_CHECK(!is_tensor());
  if (kind_ == Kind::kGated) return MakeGateMul(ctx, gate_kind_, source_, up_, y);
  MakeRmsNorm(ctx, source_, w_, eps_, y);
}

bool LinearInput::Needs(const Tape& tape) const {
  return tape.Needs(source_) || (kind_ == Kind::kGated && tape.Needs(up_)) || w_.grad != nullptr;
}

LinearInput::Gradients LinearInput::TakeGradients(GradMap& grads, bool need_source) const {
  GALEN_CHECK(!is_tensor());
  if (kind_ == Kind::kNormed) {
    return {need_source ? grads.Accumulator(source_) : nullptr, nullptr};
  }
  grads.Set(source_, source_.f32());
  grads.Set(up_, up_.f32());
  return {source_.f32(), up_.f32()};
}

void LinearInput::Backward(const ExecContext& ctx, const float* dy, const Gradients& to) const {
  if (kind_ == Kind::kGated) {
    GateMulGradientInPlace(ctx, gate_kind_, dy, source_.num_elements(), to.source, to.up);
  } else {
    RmsNormGradient(ctx, source_, w_, eps_, dy, to.source);
  }
}

}  // namespace galen
