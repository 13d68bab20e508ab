// The attention kernels of one x86 instruction set each. The bf16 and AMX tables add to what the
// AVX-512 one filled in.
#pragma once

#include "kernels/kernel_table.h"

namespace galen {

// Calls of at most this many tokens are bound by reading the pages: they are computed in fp32,
// unless shape.invariant asks for the arithmetic of many rows. Tokens, not (token, head) rows: the
// few guesses that speculation checks at once must have the bits of single tokens.
inline constexpr int64_t kFewRows = 8;

void AddAvx2Attention(KernelTable* table);
void AddAvx512Attention(KernelTable* table);
void AddAvx512Bf16Attention(KernelTable* table);
void AddAvx512Bf16EncoderAttention(KernelTable* table);
void AddAmxAttention(KernelTable* table);
void AddAmxEncoderAttention(KernelTable* table);

// KernelTable::paged_attention in fp32 on AVX-512, and with bf16 dot products: the tables above
// them fall back on these.
void PagedAttentionAvx512(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                          const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1,
                          int64_t key0, int64_t key1, float* partial, float* out, void* scratch);
void PagedAttentionAvx512Bf16(const AttentionShape& shape, const AttentionSpan& span,
                              const float* q, const int32_t* look_ahead, int64_t g, int64_t row0,
                              int64_t row1, int64_t key0, int64_t key1, float* partial, float* out,
                              void* scratch);

}  // namespace galen
