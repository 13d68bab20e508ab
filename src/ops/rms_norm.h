// The arithmetic of RmsNorm without a tape of its own, for ops beside it that contain one.
#pragma once

#include "ops/exec_context.h"
#include "ops/weight.h"
#include "tensor/tensor.h"

namespace galen {

// y = RmsNorm(x, w, eps), as many values as x has.
void MakeRmsNorm(const ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps,
                 float* y);
// dx += the gradient of x, and w.grad += that of w where it is not null. dx null: not wanted. dx
// may not be dy.
void RmsNormGradient(const ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps,
                     const float* dy, float* dx);

}  // namespace galen
