// What the forms of an encoder's attention share. Included inside a region with AVX512_BF16 and an
// anonymous namespace, after simd_avx512-inl.h: no #include here.

constexpr float kLog2E = 0x1.715476p+0f;
// Scores may exceed what weights refer to by this power of two: floats have room for it, and what
// was summed need not be scaled each time that a larger score comes.
constexpr float kSlack = 48.0f;

inline int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// n values times scale, rounded to bf16.
inline void RoundRow(const float* x, float scale, int64_t n, uint16_t* to) {
  for (int64_t d = 0; d < n; d += kLanes) {
    const int64_t count = std::min(kLanes, n - d);
    const __m256bh rounded = _mm512_cvtneps_pbh(LoadFirst(x + d, count) * Set(scale));
    _mm256_mask_storeu_epi16(to + d, FirstLanes(count), reinterpret_cast<__m256i>(rounded));
  }
}

// Lanes rounded to bf16 (halves upwards) side by side: low's in the low half. NaN stays NaN.
inline __m512i RoundPairs(V low, V high) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i a = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(low), half), 16);
  const __m512i b = _mm512_add_epi32(_mm512_castps_si512(high), half);
  return _mm512_mask_blend_epi16(0xaaaaaaaa, a, b);
}

// 2^x within 8e-5, for x up to some hundred; below 2^-120 it is that. NaN stays NaN. x = n + f with
// |f| <= 1/2; 2^f by a cubic, fitted for least relative error by reweighted least squares on
// Chebyshev nodes. n is added to the exponent.
inline V PowerOfTwo(V x) {
  constexpr float kMagic = 0x1.8p+23f;  // the sum's last bit is 1
  const V bounded = MaxOrSecond(Set(-120.0f), x);
  const V shifted = bounded + Set(kMagic);
  const V f = bounded - (shifted - Set(kMagic));
  V p = MulAdd(Set(0x1.c3f784p-5f), f, Set(0x1.f0de24p-3f));
  p = MulAdd(p, f, Set(0x1.62f31ap-1f));
  p = MulAdd(p, f, Set(0x1.fff692p-1f));
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p),
                                              _mm512_slli_epi32(_mm512_castps_si512(shifted), 23)));
}
