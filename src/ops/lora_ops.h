// The ops of low-rank adapters. They change their first tensor in place where that is possible, on
// a tape too: the gradient of what comes out is that of what went in.
#pragma once

#include <cstdint>

#include "ops/exec_context.h"
#include "ops/weight.h"
#include "tensor/tensor.h"

namespace galen {

// y [T, N] += scale * (x [T, K] * w^T + bias), in place. bias: null or [N]. y must have been made
// by the op before (a product, or another call of this), and nothing else may have read it. On a
// tape y is a whole tensor, no view of some of its rows.
void AddScaledLinear(ExecContext& ctx, const Tensor& x, const Weight& w, const VectorParam* bias,
                     float scale, const Tensor& y);

// y [T, N] * (magnitude / norms) + bias, column by column. magnitude, norms: [N], norms > 0 and
// constant for the gradient (DoRA, arXiv:2402.09353, section 4.3); bias: null or [N]. Without a
// tape y is changed in place and returned.
Tensor ScaleColumns(ExecContext& ctx, const Tensor& y, const VectorParam& magnitude,
                    const float* norms, const VectorParam* bias);

// x with a share `rate` (in [0, 1)) of its elements set to zero and the others divided by 1 - rate,
// chosen by ctx.dropout_key (not 0) and `stream`, the number of the place that drops. [T, K].
Tensor Dropout(ExecContext& ctx, const Tensor& x, float rate, uint64_t stream);

// norms[i] = |w_i + scale * (b a)_i|, the Euclidean norm of row i, in fp32 from the decoded weight.
// w [N, K], a [r, K], b [N, r] in any format and layout. norms: [N]. No gradient.
void LowRankRowNorms(ExecContext& ctx, const Weight& w, const Weight& a, const Weight& b,
                     float scale, float* norms);
// Bytes that LowRankRowNorms takes from the arena.
int64_t LowRankRowNormBytes(const KernelTable& kernels, int num_threads, const Weight& w,
                            const Weight& a);

}  // namespace galen
