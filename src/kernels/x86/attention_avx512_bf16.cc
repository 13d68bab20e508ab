#if defined(__x86_64__)

// GCC 12 warns about the undefined pass-through operand inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention_mask.h"
#include "kernels/x86/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace galen {
namespace {

#include "kernels/x86/simd_avx512-inl.h"

#include "kernels/x86/exp-inl.h"

#include "kernels/x86/attention_paged-inl.h"

#include "kernels/x86/attention_bf16-inl.h"

constexpr int kMaxTileRows = 8;  // x 2 vectors of sums

// vdpbf16ps: adds to each float lane the products of two neighbouring bf16.
inline V AddPairProducts(V sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
inline __m512i SetPair(const uint16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

template <int kRows = kMaxTileRows>
inline void DotScores(int64_t rows, const uint16_t* q, const uint16_t* keys, int64_t head_dim,
                      float* scores) {
  for (; rows >= kRows; rows -= kRows, q += kRows * head_dim, scores += kRows * kBlockTokens) {
    V sums[kRows][2];
    for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = Zero();
    for (int64_t d = 0; d < head_dim; d += 2) {
      const __m512i low = _mm512_loadu_si512(keys + d * 16);
      const __m512i high = _mm512_loadu_si512(keys + (head_dim + d) * 16);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i pair = SetPair(q + r * head_dim + d);
        sums[r][0] = AddPairProducts(sums[r][0], pair, low);
        sums[r][1] = AddPairProducts(sums[r][1], pair, high);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      Store(scores + r * kBlockTokens, sums[r][0]);
      Store(scores + r * kBlockTokens + 16, sums[r][1]);
    }
  }
  if constexpr (kRows > 1) {
    if (rows > 0) DotScores<kRows - 1>(rows, q, keys, head_dim, scores);
  }
}

// kVectors * 16 features from d on, or (kVectors = 1) the lanes of `mask` only; values: V of each
// page of a block.
template <int kVectors, int kRows = kMaxTileRows>
inline void DotValues(int64_t rows, const uint16_t* weights, const uint16_t* const* values,
                      int64_t pages, int64_t d, __mmask16 mask, int64_t head_dim, const float* keep,
                      float* sums, int64_t sums_stride) {
  for (; rows >= kRows;
       rows -= kRows, weights += kRows * kBlockTokens, sums += kRows * sums_stride) {
    V acc[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) acc[r][v] = Zero();
    }
    for (int64_t page = 0; page < pages; ++page) {
      for (int64_t pair = 0; pair < kPageTokens / 2; ++pair) {
        const uint16_t* line = values[page] + (pair * head_dim + d) * 2;
        __m512i x[kVectors];
        for (int v = 0; v < kVectors; ++v) x[v] = _mm512_maskz_loadu_epi32(mask, line + v * 32);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const __m512i weight =
              SetPair(weights + r * kBlockTokens + page * kPageTokens + 2 * pair);
          for (int v = 0; v < kVectors; ++v) acc[r][v] = AddPairProducts(acc[r][v], weight, x[v]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        float* to = sums + r * sums_stride + d + v * kLanes;
        if (keep != nullptr)
          acc[r][v] = MulAdd(_mm512_maskz_loadu_ps(mask, to), Set(keep[r]), acc[r][v]);
        _mm512_mask_storeu_ps(to, mask, acc[r][v]);
      }
    }
    if (keep != nullptr) keep += kRows;
  }
  if constexpr (kRows > 1) {
    if (rows > 0) {
      DotValues<kVectors, kRows - 1>(rows, weights, values, pages, d, mask, head_dim, keep, sums,
                                     sums_stride);
    }
  }
}

class Bf16Path : public Bf16Operands {
 public:
  static constexpr int64_t kRowBlock = 64;

  Bf16Path(const AttentionShape& shape, const Workspace& w) : Bf16Operands(shape, w) {}

  void SetQuery(int64_t row, const float* q) { SetBf16Query(row, q); }
  void Begin(int64_t rows) { rows_ = rows; }

  void Scores(const PageBlock& block) {
    for (int64_t i = 0; i < block.count; ++i) {
      DotScores(rows_, query(), Keys(block.heads[i]), shape_.head_dim, w_.scores + i * kPageTokens);
    }
  }

  void Values(const PageBlock& block, const float* keep, float* sums) {
    const uint16_t* values[kBlockPages];
    for (int64_t i = 0; i < block.count; ++i) values[i] = Bf16Operands::Values(block, i);
    const int64_t head_dim = shape_.head_dim;
    int64_t d = 0;
    for (; d + 2 * kLanes <= head_dim; d += 2 * kLanes) {
      DotValues<2>(rows_, w_.weights, values, block.count, d, FirstLanes(16), head_dim, keep, sums,
                   w_.stride);
    }
    for (; d < head_dim; d += kLanes) {
      DotValues<1>(rows_, w_.weights, values, block.count, d,
                   FirstLanes(std::min(kLanes, head_dim - d)), head_dim, keep, sums, w_.stride);
    }
  }

 private:
  int64_t rows_ = 0;
};

}  // namespace

void PagedAttentionAvx512Bf16(const AttentionShape& shape, const AttentionSpan& span,
                              const float* q, const int32_t* look_ahead, int64_t g, int64_t row0,
                              int64_t row1, int64_t key0, int64_t key1, float* partial, float* out,
                              void* scratch) {
  if (shape.kv_type == KvType::kF32 || (!shape.invariant && row1 - row0 <= kFewRows)) {
    return PagedAttentionAvx512(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial, out,
                                scratch);
  }
  RunPaged<Bf16Path>(MakeCall(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial, out),
                     scratch);
}

void AddAvx512Bf16Attention(KernelTable* table) {
  table->paged_attention = PagedAttentionAvx512Bf16;
}

}  // namespace galen

#pragma GCC pop_options

#endif
