// The ops: check, allocate from the arena, dispatch to kernels over the pool, record on the tape.
// All activations are fp32 and contiguous; T = tokens of the flat batch. Each op's forward and
// backward live in one file.
#pragma once

#include <cstdint>
#include <span>

#include "ops/exec_context.h"
#include "ops/linear_input.h"
#include "ops/weight.h"
#include "tensor/tensor.h"

namespace galen {

// Rows `ids` of the table times scale: [T, hidden]. ids are checked by the caller (0 <= id < rows,
// GALEN_CHECK).
Tensor Embedding(ExecContext& ctx, const Weight& table, std::span<const int32_t> ids, float scale);

// y[i] = x [T, K] * w[i]^T + bias[i], for several weights that share x (q, k, v; gate, up) in one
// pass over the pool. biases: empty, or one VectorParam per weight (data may be null). outputs has
// as many entries as weights, at most kMaxSharedWeights.
inline constexpr int kMaxSharedWeights = 8;
void Linears(ExecContext& ctx, const LinearInput& x, std::span<const Weight* const> weights,
             std::span<const VectorParam* const> biases, std::span<Tensor> outputs);
Tensor Linear(ExecContext& ctx, const LinearInput& x, const Weight& w,
              const VectorParam* bias = nullptr);

// x / sqrt(mean(x^2) + eps) * w over the last dimension. Gemma's (1 + w) is folded into w when a
// checkpoint is loaded.
Tensor RmsNorm(ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps);

// (x - mean) / sqrt(variance + eps) * w + b over the last dimension.
Tensor LayerNorm(ExecContext& ctx, const Tensor& x, const VectorParam& w, const VectorParam& b,
                 float eps);

// x / max(|x|, 1e-12) of each row, the norm in the Euclidean sense; a zero row stays zero.
Tensor NormalizeRows(ExecContext& ctx, const Tensor& x);

// residual + RmsNorm(x, w, eps) (Gemma's post-norms), with the bits of the two ops.
Tensor RmsNormAdd(ExecContext& ctx, const Tensor& residual, const Tensor& x, const VectorParam& w,
                  float eps);

// Half-split rotary embedding. x: [T, heads, D]; cos_sin: [T, D] (D/2 cosines, D/2 sines per
// token).
Tensor Rope(ExecContext& ctx, const Tensor& x, const Tensor& cos_sin);

// act(gate) * up.
Tensor GateMul(ExecContext& ctx, GateKind kind, const Tensor& gate, const Tensor& up);

Tensor Activation(ExecContext& ctx, ActivationKind kind, const Tensor& x);

Tensor Add(ExecContext& ctx, const Tensor& a, const Tensor& b);

// x [n * rows, cols] + a table of [rows, cols] values, repeated for each of n images (learned
// positions).
Tensor AddRows(ExecContext& ctx, const Tensor& x, const VectorParam& table);

// `row` [cols] in front of the rows of each of n groups (a class token): x [n * rows, cols] -> [n *
// (rows + 1), cols].
Tensor PrependRow(ExecContext& ctx, const Tensor& x, const VectorParam& row, int64_t rows);
struct GridSize {
  int64_t height = 0;
  int64_t width = 0;
};
// As AddRows with a table of [from.height * from.width, cols], interpolated to `to`: bicubic as in
// PyTorch's interpolate with align_corners=False. x has `to.height * to.width` rows for each of n
// images.
Tensor AddInterpolatedRows(ExecContext& ctx, const Tensor& x, const VectorParam& table,
                           GridSize from, GridSize to);

// Rows of x in the given order (logits of requested tokens only): [n, cols].
Tensor GatherRows(ExecContext& ctx, const Tensor& x, std::span<const int32_t> rows);

// y[i] = mean of the rows rows[i * group .. (i + 1) * group) of x: [rows.size() / group, cols].
Tensor MeanRows(ExecContext& ctx, const Tensor& x, std::span<const int32_t> rows, int64_t group);

// `count` rows of `values` from row `first` on, for the rows of another matrix from `row` on.
struct RowSource {
  Tensor values;
  int64_t first = 0;
  int64_t row = 0;
  int64_t count = 0;
};
// x with some rows replaced (image embeddings in place of placeholders). Consumes x, which no other
// op may have read: it is changed in place and returned. The ranges of rows do not overlap. Values
// get gradients where the tape needs them.
Tensor ReplaceRows(ExecContext& ctx, const Tensor& x, std::span<const RowSource> sources);

// Attention, variable-length form: q [T,H,D], k, v [T,G,D]; spans cover the batch. Differentiable.
// look_ahead as in kernels/attention.h. Returns [T, H * D].
Tensor Attention(ExecContext& ctx, const AttentionShape& shape,
                 std::span<const AttentionSpan> spans, const Tensor& q, const Tensor& k,
                 const Tensor& v, const int32_t* look_ahead);
// Attention, paged form: writes k, v into the spans' pages, then reads them. Inference only
// (GALEN_CHECK on a tape); equal to the form above for a cache of fp32.
Tensor PagedAttention(ExecContext& ctx, const AttentionShape& shape,
                      std::span<const AttentionSpan> spans, const Tensor& q, const Tensor& k,
                      const Tensor& v, const int32_t* look_ahead);

// Attention of encoders: every row sees all rows of its segment [cu_seqlens[i], cu_seqlens[i + 1])
// and no others. q, k, v [T,H,D]; cu_seqlens starts with 0, ascends and ends with T; empty segments
// are allowed. Returns [T, H * D].
Tensor EncoderAttention(ExecContext& ctx, const EncoderAttentionShape& shape,
                        std::span<const int32_t> cu_seqlens, const Tensor& q, const Tensor& k,
                        const Tensor& v);

// One query for all groups: y[i] = sum over the rows t of group i of softmax_t(scale q.k_t) v_t,
// head by head. q [1, H * D]; k, v [n * rows, H * D] -> [n, H * D].
Tensor PoolAttention(ExecContext& ctx, const EncoderAttentionShape& shape, const Tensor& q,
                     const Tensor& k, const Tensor& v, int64_t rows);

// exp(log_scale) a b^T + bias, in fp32 whatever ctx.compute: a [n, cols], b [m, cols], log_scale
// and bias of one value, bias may be null or empty. [n, m].
Tensor Similarity(ExecContext& ctx, const Tensor& a, const Tensor& b, const VectorParam& log_scale,
                  const VectorParam* bias);

// Mean over the counted tokens of -log softmax(logits)[target]; target -100 is not counted. Returns
// [1].
Tensor CrossEntropy(ExecContext& ctx, const Tensor& logits, std::span<const int32_t> targets);

// The output head and the loss in one, a chunk of rows at a time, so that the logits of all rows
// never exist together: the sum over the counted rows of -log softmax(x head^T)[target], divided by
// `divisor` (> 0; the tokens that count in all parts of one optimiser step). x [n, hidden]; target
// -100 is not counted. Returns [1]. On a tape the gradients are worked out at once: dx is kept for
// the pass back, whose gradient of this loss must be 1, and head.grad is added to already here.
Tensor HeadCrossEntropy(ExecContext& ctx, const Tensor& x, const Weight& head,
                        std::span<const int32_t> targets, double divisor);
// Rows whose logits HeadCrossEntropy has at a time, for n rows of a vocabulary.
int64_t HeadChunkRows(int64_t vocab_size, int64_t n);

}  // namespace galen
