// Attention over plain tensors through bf16 products: the variable-length form of Attention (ops.h)
// for Compute::kBf16. Scores of a block of queries with all keys that it sees, their softmax in
// fp32, the sums over values; the way back with the probabilities worked out again. Operands of
// products (queries, keys, values, probabilities, gradients) are rounded to bf16, sums are fp32. A
// span's bits do not depend on other spans.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace galen {

// Whether a span of so many tokens is computed so; short ones are faster in fp32.
bool UsesAttentionProducts(const KernelTable& kernels, Compute compute, int64_t tokens);
// Scratch of a worker, for spans of at most `tokens` rows; 0: the instruction set has no such form.
int64_t AttentionProductsBytes(const KernelTable& kernels, const AttentionShape& shape,
                               int64_t tokens);
// The larger of that and KernelTable::attention_scratch_bytes: what the op Attention takes in bf16.
int64_t VarlenAttentionBytes(const KernelTable& kernels, const AttentionShape& shape,
                             int64_t tokens);

// As KernelTable::attention: query head h of one span.
void AttendByProducts(const KernelTable& kernels, const AttentionShape& shape,
                      const AttentionSpan& span, const float* q, const float* k, const float* v,
                      const int32_t* look_ahead, int64_t h, float* out, float* lse, void* scratch);
// As KernelTable::attention_backward: key/value head g of one span.
void AttendBackwardByProducts(const KernelTable& kernels, const AttentionShape& shape,
                              const AttentionSpan& span, const float* q, const float* k,
                              const float* v, const int32_t* look_ahead, const float* out,
                              const float* lse, const float* dout, int64_t g, float* dq, float* dk,
                              float* dv, void* scratch);

}  // namespace galen
