// How the gradient of a sum reaches its terms, for ops beside Add that contain one.
#pragma once

#include "ops/exec_context.h"
#include "ops/tape.h"
#include "tensor/tensor.h"

namespace galen {

// The gradient of `from`, for which nobody will ask again, becomes that of `to`, or is added to it.
void PassGradient(const ExecContext& ctx, const Tensor& from, const Tensor& to, GradMap& grads);

}  // namespace galen
