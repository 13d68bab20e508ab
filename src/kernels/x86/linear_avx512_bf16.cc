// The matrix product for Isa::kAvx512Bf16.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512bf16,avx2,fma,f16c,bmi2")
#define GALEN_VEC_AVX512
#define GALEN_PANEL_BF16

namespace galen::avx512_bf16 {
namespace {
#include "kernels/x86/vec-inl.h"
#include "kernels/x86/formats-inl.h"
#include "kernels/x86/linear-inl.h"
#include "kernels/x86/words-inl.h"
#include "kernels/x86/panels-inl.h"
#include "kernels/x86/backward-inl.h"
#include "kernels/x86/bf16-inl.h"

// c[M, 32] += (first: =) a[M, 32 chunks] * panels of two units, by dot products of bf16 pairs.
// Bound by arithmetic.
template <int M>
void MicroBf16(const uint16_t* a, int64_t lda, const uint16_t* panel, int64_t panel_stride,
               int64_t chunks, bool first, float* c, int64_t ldc) {
  __m512 sum[M][2];
  for (int m = 0; m < M; ++m) {
    sum[m][0] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + m * ldc);
    sum[m][1] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + m * ldc + 16);
  }
  for (int64_t pair = 0; pair < chunks * 16; ++pair) {
    const __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + 32 * pair);
    const __m512bh b1 = (__m512bh)_mm512_loadu_si512(panel + panel_stride + 32 * pair);
    for (int m = 0; m < M; ++m) {
      int32_t both;
      std::memcpy(&both, a + m * lda + 2 * pair, sizeof(both));
      const __m512bh x = (__m512bh)_mm512_set1_epi32(both);
      sum[m][0] = _mm512_dpbf16_ps(sum[m][0], x, b0);
      sum[m][1] = _mm512_dpbf16_ps(sum[m][1], x, b1);
    }
  }
  for (int m = 0; m < M; ++m) {
    _mm512_storeu_ps(c + m * ldc, sum[m][0]);
    _mm512_storeu_ps(c + m * ldc + 16, sum[m][1]);
  }
}

using MicroBf16Fn = void (*)(const uint16_t*, int64_t, const uint16_t*, int64_t, int64_t, bool,
                             float*, int64_t);
template <int... m>
constexpr std::array<MicroBf16Fn, sizeof...(m)> MicroBf16Table(std::integer_sequence<int, m...>) {
  return {MicroBf16<m + 1>...};
}

struct Bf16Panel : Bf16PanelBase<RowOrder> {
  static constexpr int64_t kRowsPerTile =
      12;  // 12 x 2 sums, 2 of weights, 1 of x: 27 of 32 registers
  static constexpr int64_t kUnitsPerTile = 2;
  static constexpr int64_t kUnitsPerBlock = 16;  // 16 units x 16 chunks x 1 KiB = 256 KiB, in L2
  static constexpr int64_t kChunksPerBlock = 16;
  static constexpr int64_t kMaxRowsInRegisters = 32;
  struct Session {};
  static void Multiply(int64_t rows, const uint16_t* a, int64_t lda, const uint16_t* panel,
                       int64_t panel_stride, int64_t chunks, bool first, float* c, int64_t ldc) {
    static constexpr auto kTable = MicroBf16Table(std::make_integer_sequence<int, kRowsPerTile>{});
    kTable[rows - 1](a, lda, panel, panel_stride, chunks, first, c, ldc);
  }
};

#include "kernels/x86/backward_bf16-inl.h"
#include "kernels/x86/linear-table-inl.h"
}  // namespace

void AddLinearKernels(KernelTable* table) { AddLinear(table); }

}  // namespace galen::avx512_bf16

#undef GALEN_PANEL_BF16
#undef GALEN_VEC_AVX512
#pragma GCC pop_options
