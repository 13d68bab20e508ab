// The vector vocabulary of AVX2, FMA and F16C: V holds kLanes floats. Included once per translation
// unit, inside its target region and an anonymous namespace, after <immintrin.h>: no #include here.
// simd_avx512-inl.h has the same names.

using V = __m256;
constexpr int64_t kLanes = 8;

inline __m256i LaneNumbers() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
// The first n lanes of a vector; any n.
inline __m256i FirstLanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), LaneNumbers());
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
// p * 2^n for integral n in [-126, 129], in two steps so that each power is a normal number.
inline V ScaleByPower(V p, V n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return p * _mm256_castsi256_ps(a) * _mm256_castsi256_ps(b);
}
// v in the lanes [begin, end), `other` elsewhere; any begin and end.
inline V KeepLanes(V v, int64_t begin, int64_t end, V other) {
  const int64_t b = begin < 0 ? 0 : begin > kLanes ? kLanes : begin;
  const int64_t e = end < 0 ? 0 : end > kLanes ? kLanes : end;
  const __m256i keep = _mm256_andnot_si256(FirstLanes(b), FirstLanes(e));
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(keep));
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

// kLanes pairs of neighbouring elements, as their even and their odd members.
struct Pairs {
  V even;
  V odd;
};

inline Pairs SplitBf16(__m256i x) {
  return {
      _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)),
      _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32(static_cast<int>(0xffff0000))))};
}
// The low 16 bits of each lane, as halfs.
inline V LowHalfs(__m256i x) {
  const __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(0xffff));
  return _mm256_cvtph_ps(
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}
inline Pairs SplitHalf(__m256i x) { return {LowHalfs(x), LowHalfs(_mm256_srli_epi32(x, 16))}; }
inline Pairs SplitInt8(__m128i x) {
  const __m256i words = _mm256_cvtepi8_epi16(x);
  return {_mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(words, 16), 16)),
          _mm256_cvtepi32_ps(_mm256_srai_epi32(words, 16))};
}
inline V OrderQuarters(V v) {
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8));
}
inline Pairs SplitFloat(V a, V b) {
  return {OrderQuarters(_mm256_shuffle_ps(a, b, 0x88)),
          OrderQuarters(_mm256_shuffle_ps(a, b, 0xdd))};
}

template <KvType type>
inline Pairs LoadPairs(const uint8_t* p) {
  if constexpr (type == KvType::kF32) {
    const float* f = reinterpret_cast<const float*>(p);
    return SplitFloat(Load(f), Load(f + kLanes));
  } else if constexpr (type == KvType::kBf16) {
    return SplitBf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  } else if constexpr (type == KvType::kF16) {
    return SplitHalf(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  } else {
    return SplitInt8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
}

// The first n < kLanes pairs; the others are 0.
template <KvType type>
inline Pairs LoadPairsFirst(const uint8_t* p, int64_t n) {
  if constexpr (type == KvType::kF32) {
    const float* f = reinterpret_cast<const float*>(p);
    const int64_t low = 2 * n < kLanes ? 2 * n : kLanes;
    return SplitFloat(LoadFirst(f, low), LoadFirst(f + low, 2 * n - low));
  } else if constexpr (type == KvType::kI8) {
    alignas(16) uint8_t bytes[16] = {};
    __builtin_memcpy(bytes, p, static_cast<size_t>(2 * n));
    return SplitInt8(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
  } else {
    const __m256i x = _mm256_maskload_epi32(reinterpret_cast<const int*>(p), FirstLanes(n));
    if constexpr (type == KvType::kBf16)
      return SplitBf16(x);
    else
      return SplitHalf(x);
  }
}
