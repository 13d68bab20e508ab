// The two gradients of a product y = x W^T, for ops beside Linear that contain one.
#pragma once

#include <cstdint>
#include <span>

#include "ops/exec_context.h"
#include "ops/weight.h"

namespace galen {

inline constexpr int64_t kBackwardColumns = 256;  // linear_backward_input's granularity

// dx [m, K] (+)= dy [m, N] W, the sum over several weights that share x: dy[j] null leaves weight j
// out. As ctx.compute says: in bf16, dy and W are rounded to it and the sums kept in fp32.
void LinearInputGradient(const ExecContext& ctx, std::span<const WeightView> weights,
                         std::span<const float* const> dy, int64_t m, float* dx, bool accumulate);
// dx [m, K] (+)= dy^T W of the bf16 arithmetic: dy [N, at least m], its rows `stride` apart. Only
// where the kernels have linear_prepare_turned.
void LinearInputGradientTurned(const ExecContext& ctx, const WeightView& w, const float* dy,
                               int64_t stride, int64_t m, float* dx, bool accumulate);
// dw [N, K] += dy^T x, x [m, K], dy [m, N]. As ctx.compute says: in bf16, dy and x are rounded to
// it and the sums kept in fp32.
void LinearWeightGradient(const ExecContext& ctx, const float* dy, const float* x, int64_t m,
                          int64_t n, int64_t k, float* dw);
// Upper bound of what that takes from the arena; widest: the larger of N and K, at least 64.
int64_t LinearWeightGradientBytes(const KernelTable& kernels, int threads, int64_t m,
                                  int64_t widest);

}  // namespace galen
