#if defined(__x86_64__)

// GCC 12 warns about the undefined pass-through operand inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/x86/rows.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")

namespace galen {
namespace {

using V = __m512;
constexpr int64_t kLanes = 16;

// The first n lanes of a vector, 0 <= n <= kLanes.
inline __mmask16 FirstLanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

inline V Zero() { return _mm512_setzero_ps(); }
inline V Set(float f) { return _mm512_set1_ps(f); }
inline V Load(const float* p) { return _mm512_loadu_ps(p); }
inline V LoadFirst(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(FirstLanes(n), p); }
inline void Store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline void StoreFirst(float* p, V v, int64_t n) { _mm512_mask_storeu_ps(p, FirstLanes(n), v); }
inline V MulAdd(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }      // a * b + c
inline V NegMulAdd(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
inline V MaxOrSecond(V a, V b) { return _mm512_max_ps(a, b); }           // b where either is NaN
inline V MinOrSecond(V a, V b) { return _mm512_min_ps(a, b); }
inline V RoundToInteger(V v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// v where x >= limit or x is NaN, else 0.
inline V ZeroBelow(V v, V x, V limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), v);
}
// Bit i is set where a[i] == b[i].
inline uint32_t EqualMask(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
inline V ScaleByPower(V p, V n) { return _mm512_scalef_ps(p, n); }  // p * 2^n

inline float Sum(V v) { return _mm512_reduce_add_ps(v); }
inline float Largest(V v) { return _mm512_reduce_max_ps(v); }

#include "kernels/x86/rows-inl.h"

#include "kernels/x86/encoder_rows-inl.h"

}  // namespace

void AddAvx512Rows(KernelTable* table) {
  AddRows(table);
  AddEncoderRows(table);
}

}  // namespace galen

#pragma GCC pop_options

#endif
