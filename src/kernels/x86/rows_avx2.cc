#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/x86/rows.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace galen {
namespace {

using V = __m256;
constexpr int64_t kLanes = 8;

// The first n lanes of a vector, 0 <= n <= kLanes.
inline __m256i FirstLanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline V Zero() { return _mm256_setzero_ps(); }
inline V Set(float f) { return _mm256_set1_ps(f); }
inline V Load(const float* p) { return _mm256_loadu_ps(p); }
inline V LoadFirst(const float* p, int64_t n) { return _mm256_maskload_ps(p, FirstLanes(n)); }
inline void Store(float* p, V v) { _mm256_storeu_ps(p, v); }
inline void StoreFirst(float* p, V v, int64_t n) { _mm256_maskstore_ps(p, FirstLanes(n), v); }
inline V MulAdd(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }      // a * b + c
inline V NegMulAdd(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a * b
inline V MaxOrSecond(V a, V b) { return _mm256_max_ps(a, b); }           // b where either is NaN
inline V MinOrSecond(V a, V b) { return _mm256_min_ps(a, b); }
inline V RoundToInteger(V v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// v where x >= limit or x is NaN, else 0.
inline V ZeroBelow(V v, V x, V limit) {
  return _mm256_and_ps(v, _mm256_cmp_ps(x, limit, _CMP_NLT_UQ));
}
// Bit i is set where a[i] == b[i].
inline uint32_t EqualMask(V a, V b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }

// p * 2^n for integral n in [-126, 129], in two steps so that each power is a normal number.
inline V ScaleByPower(V p, V n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return p * _mm256_castsi256_ps(a) * _mm256_castsi256_ps(b);
}

inline float Sum(V v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float Largest(V v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

#include "kernels/x86/rows-inl.h"

#include "kernels/x86/encoder_rows-inl.h"

}  // namespace

void AddAvx2Rows(KernelTable* table) {
  AddRows(table);
  AddEncoderRows(table);
}

}  // namespace galen

#pragma GCC pop_options

#endif
