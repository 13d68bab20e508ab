// The loss of yes-or-no questions that are asked side by side.
#pragma once

#include <cstdint>
#include <span>

#include "ops/exec_context.h"
#include "tensor/tensor.h"

namespace galen {

inline constexpr int8_t kMaskedTarget = -1;

// The sum over entries of -log sigmoid(logit) where the target is 1, times positive_weights[column]
// (empty: 1), and of -log sigmoid(-logit) where it is 0, divided by `divisor` (> 0); kMaskedTarget
// is not counted. logits and targets [n, cols], row by row. Returns [1]. Classification heads of
// several labels, and with a target of 1 on the diagonal alone SigLIP's loss of images and texts
// (arXiv:2303.15343).
Tensor BinaryCrossEntropy(ExecContext& ctx, const Tensor& logits, std::span<const int8_t> targets,
                          std::span<const float> positive_weights, double divisor);

}  // namespace galen
