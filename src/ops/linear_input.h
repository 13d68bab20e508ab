// What products multiply: a tensor, or one that is so cheap to make from tensors which a tape keeps
// anyway (a normalised input, the product of gate and up) that the tape keeps no copy: it is made
// for the products, let go, and made again on the way back, with the same bits.
#pragma once

#include <cstdint>

#include "ops/exec_context.h"
#include "ops/tape.h"
#include "ops/weight.h"
#include "tensor/tensor.h"

namespace galen {

class LinearInput {
 public:
  // x itself. Implicit: every op that takes an input takes a tensor.
  LinearInput(const Tensor& x) : source_(x) {}  // NOLINT(google-explicit-constructor)
  // GateMul(kind, gate, up). Consumes both: nothing else may read them, and on the way back their
  // gradients take their place.
  static LinearInput Gated(GateKind kind, const Tensor& gate, const Tensor& up);
  // RmsNorm(x, w, eps).
  static LinearInput Normed(const Tensor& x, const VectorParam& w, float eps);

  bool is_tensor() const { return kind_ == Kind::kTensor; }
  // Only where is_tensor().
  const Tensor& tensor() const { return source_; }
  int64_t rows() const { return source_.rows(); }
  int64_t cols() const { return source_.cols(); }

  // The input as a tensor, made by its op.
  Tensor Whole(ExecContext& ctx) const;
  // What is no tensor: writes its rows() x cols() values to y.
  void Make(const ExecContext& ctx, float* y) const;

  // Whether a gradient of this input is wanted, for its sources or for the scale of its norm.
  bool Needs(const Tape& tape) const;

  // The pass back of what is no tensor, in two steps, since the gradients of the sources outlive
  // the memory that the gradient of the input lies in.
  struct Gradients {
    float* source = nullptr;
    float* up = nullptr;
  };
  // need_source: the tape needs the tensor that is normalised.
  Gradients TakeGradients(GradMap& grads, bool need_source) const;
  // dy: rows() x cols().
  void Backward(const ExecContext& ctx, const float* dy, const Gradients& to) const;
  bool NeedsSource(const Tape& tape) const { return tape.Needs(source_); }

 private:
  enum class Kind : uint8_t { kTensor, kGated, kNormed };

  Kind kind_ = Kind::kTensor;
  GateKind gate_kind_ = GateKind::kSilu;
  Tensor source_;  // the tensor, the gate, or what is normalised
  Tensor up_;
  VectorParam w_;
  float eps_ = 0;
};

}  // namespace galen
