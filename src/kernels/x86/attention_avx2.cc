#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention_mask.h"
#include "kernels/x86/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

namespace galen {
namespace {

#include "kernels/x86/simd_avx2-inl.h"

#include "kernels/x86/exp-inl.h"

#include "kernels/x86/attention_paged-inl.h"

#include "kernels/x86/attention_fp32-inl.h"

#include "kernels/x86/attention_write-inl.h"

#include "kernels/x86/attention_varlen-inl.h"

void PagedAttention(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                    const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1, int64_t key0,
                    int64_t key1, float* partial, float* out, void* scratch) {
  RunFp32(MakeCall(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial, out), scratch);
}

}  // namespace

void AddAvx2Attention(KernelTable* table) {
  table->paged_attention = PagedAttention;
  AddPlainAttention(table);
}

}  // namespace galen

#pragma GCC pop_options

#endif
