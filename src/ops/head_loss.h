// HeadCrossEntropy with what the head would say.
#pragma once

#include <cstdint>
#include <span>

#include "ops/ops.h"

namespace galen {

inline constexpr int32_t kIgnoredTarget = -100;  // PyTorch's ignore_index

// As HeadCrossEntropy in ops.h; correct[i] (a place for each row, or none at all) becomes 1 where
// no other logit reaches that of row i's target, so that greedy decoding says it, and where the
// target is -100; else 0.
Tensor HeadCrossEntropy(ExecContext& ctx, const Tensor& x, const Weight& head,
                        std::span<const int32_t> targets, double divisor,
                        std::span<uint8_t> correct);

}  // namespace galen
