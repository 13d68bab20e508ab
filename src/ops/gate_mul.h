// The arithmetic of GateMul without a tape of its own, for what makes it again on the way back.
#pragma once

#include <cstdint>

#include "ops/exec_context.h"
#include "tensor/tensor.h"

namespace galen {

// y = act(gate) * up, as many values as gate and up have.
void MakeGateMul(const ExecContext& ctx, GateKind kind, const Tensor& gate, const Tensor& up,
                 float* y);
// The gradients of gate and up take their place, n values each. dy: n.
void GateMulGradientInPlace(const ExecContext& ctx, GateKind kind, const float* dy, int64_t n,
                            float* gate, float* up);

}  // namespace galen
