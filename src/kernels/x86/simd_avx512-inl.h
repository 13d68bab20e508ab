// The vector vocabulary of AVX-512 (F, BW, DQ, VL): V holds kLanes floats. Included once per
// translation unit, inside its target region and an anonymous namespace, after <immintrin.h>: no
// #include here. simd_avx2-inl.h has the same names.

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
inline V ScaleByPower(V p, V n) { return _mm512_scalef_ps(p, n); }  // p * 2^n
// v in the lanes [begin, end), `other` elsewhere; any begin and end.
inline V KeepLanes(V v, int64_t begin, int64_t end, V other) {
  const int64_t b = begin < 0 ? 0 : begin > kLanes ? kLanes : begin;
  const int64_t e = end < 0 ? 0 : end > kLanes ? kLanes : end;
  return _mm512_mask_blend_ps(FirstLanes(e) & ~FirstLanes(b), other, v);
}

inline float Sum(V v) { return _mm512_reduce_add_ps(v); }
inline float Largest(V v) { return _mm512_reduce_max_ps(v); }

// kLanes pairs of neighbouring elements, as their even and their odd members.
struct Pairs {
  V even;
  V odd;
};

inline Pairs SplitBf16(__m512i x) {
  return {
      _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
      _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xffff0000))))};
}
inline Pairs SplitHalf(__m512i x) {
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(x)),
          _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(x, 16)))};
}
inline Pairs SplitInt8(__m256i x) {
  const __m512i words = _mm512_cvtepi8_epi16(x);
  return {_mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(words, 16), 16)),
          _mm512_cvtepi32_ps(_mm512_srai_epi32(words, 16))};
}
inline Pairs SplitFloat(V a, V b) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return {_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b)};
}

template <KvType type>
inline Pairs LoadPairs(const uint8_t* p) {
  if constexpr (type == KvType::kF32) {
    const float* f = reinterpret_cast<const float*>(p);
    return SplitFloat(Load(f), Load(f + kLanes));
  } else if constexpr (type == KvType::kBf16) {
    return SplitBf16(_mm512_loadu_si512(p));
  } else if constexpr (type == KvType::kF16) {
    return SplitHalf(_mm512_loadu_si512(p));
  } else {
    return SplitInt8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
}

// The first n < kLanes pairs; the others are 0.
template <KvType type>
inline Pairs LoadPairsFirst(const uint8_t* p, int64_t n) {
  if constexpr (type == KvType::kF32) {
    const float* f = reinterpret_cast<const float*>(p);
    const int64_t low = 2 * n < kLanes ? 2 * n : kLanes;
    return SplitFloat(LoadFirst(f, low), LoadFirst(f + low, 2 * n - low));
  } else if constexpr (type == KvType::kBf16) {
    return SplitBf16(_mm512_maskz_loadu_epi32(FirstLanes(n), p));
  } else if constexpr (type == KvType::kF16) {
    return SplitHalf(_mm512_maskz_loadu_epi32(FirstLanes(n), p));
  } else {
    return SplitInt8(_mm256_maskz_loadu_epi16(FirstLanes(n), p));
  }
}
