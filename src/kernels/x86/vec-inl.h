// Thin vector wrappers: V::F floats, V::I 32-bit integers, kLanes of them. Included once per
// instruction set, inside its namespace and target region (see linear_avx512.cc), after
// <immintrin.h>; no include guard for that reason.

#if defined(GALEN_VEC_AVX512)

struct Vec {
  static constexpr int kLanes = 16;
  using F = __m512;
  using I = __m512i;
  static F Zero() { return _mm512_setzero_ps(); }
  static F Set1(float x) { return _mm512_set1_ps(x); }
  static F Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static I LoadI(const void* p) { return _mm512_loadu_si512(p); }
  static I Set1I(int32_t x) { return _mm512_set1_epi32(x); }
  static I And(I a, I b) { return _mm512_and_si512(a, b); }
  static I Or(I a, I b) { return _mm512_or_si512(a, b); }
  static I Xor(I a, I b) { return _mm512_xor_si512(a, b); }
  // (a & mask) | (b & ~mask)
  static I Select(I mask, I a, I b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xCA); }
  // (a & mask) | c
  static I AndOr(I a, I mask, I c) { return _mm512_ternarylogic_epi32(a, mask, c, 0xEA); }
  template <int s>
  static I Srl(I v) {
    if constexpr (s == 0)
      return v;
    else
      return _mm512_srli_epi32(v, s);
  }
  template <int s>
  static I Sll(I v) {
    if constexpr (s == 0)
      return v;
    else
      return _mm512_slli_epi32(v, s);
  }
  static F Cast(I v) { return _mm512_castsi512_ps(v); }
  static F ToFloat(I v) { return _mm512_cvtepi32_ps(v); }
  static F FromI8(const void* p) {
    return ToFloat(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static F FromU8(const void* p) {
    return ToFloat(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static I WidenU8(const void* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static F FromHalf(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  // Lanes' low and high 16 bits as halfs.
  static F HalfLow(I v) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v)); }
  static F HalfHigh(I v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
  }
  static I ZeroI() { return _mm512_setzero_si512(); }
  static I AddI(I a, I b) { return _mm512_add_epi32(a, b); }
  static I SubI(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I Sra7(I v) { return _mm512_srai_epi32(v, 7); }
  static I Round(F v) { return _mm512_cvtps_epi32(v); }
  static F MaxAbs(F a, F b) { return _mm512_max_ps(a, _mm512_abs_ps(b)); }
  static F AddAbs(F a, F b) { return _mm512_add_ps(a, _mm512_abs_ps(b)); }
  static float ReduceMax(F v) { return _mm512_reduce_max_ps(v); }
  static float ReduceAddF(F v) { return _mm512_reduce_add_ps(v); }
  static int32_t ReduceAdd(I v) { return _mm512_reduce_add_epi32(v); }
  static void StoreI8(int8_t* p, I v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
  }
  // sum[j][u], per lane: the sum of n times four products of bytes: codes a[u][first + i],
  // 0..max_code, with the digits b[j][4i..4i+3], -127..127, which are the same for all lanes.
  template <int max_code, int n, int U, int B>
  __attribute__((always_inline)) static void DotBytes(const I (&a)[U][8], int first,
                                                      const uint8_t* const (&b)[B],
                                                      I (&sum)[B][U]) {
#pragma GCC unroll 8
    for (int j = 0; j < B; ++j) {
#pragma GCC unroll 4
      for (int u = 0; u < U; ++u) sum[j][u] = ZeroI();
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < B; ++j) {
        const I digits = Set1Bytes(b[j] + 4 * i);
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u)
          sum[j][u] = _mm512_dpbusd_epi32(sum[j][u], a[u][first + i], digits);
      }
    }
  }
  static I Set1Bytes(const uint8_t* four) {
    int32_t word;
    std::memcpy(&word, four, sizeof(word));
    return Set1I(word);
  }
  // A table of 16 bytes, looked up by bytes 0..15.
  static I Shuffle(const int8_t* table, I index) {
    return _mm512_shuffle_epi8(
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), index);
  }
  // A table of 16 floats, looked up by the low 4 bits of each lane.
  struct Table16 {
    F t;
  };
  static Table16 MakeTable16(const float* p) { return {Load(p)}; }
  static F Lookup(const Table16& t, I index) { return _mm512_permutexvar_ps(index, t.t); }
  // A table of 16 integers of 16 bits, twice, so that the fifth bit of an index does not matter.
  using WordTable = I;
  static WordTable MakeWordTable(const int16_t* p) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  // Each lane's eight nibbles, looked up; in the order of DotWords. A shift brings nibbles of two
  // columns that lie two apart to the low ends of the two words of a lane.
  __attribute__((always_inline)) static void LookupWords(const WordTable& t, I nibbles,
                                                         I (&words)[4]) {
    words[0] = _mm512_permutexvar_epi16(nibbles, t);
    words[1] = _mm512_permutexvar_epi16(Srl<4>(nibbles), t);
    words[2] = _mm512_permutexvar_epi16(Srl<8>(nibbles), t);
    words[3] = _mm512_permutexvar_epi16(Srl<12>(nibbles), t);
  }
  // Eight columns of x for each of the words: 0, 2, 4, 6, 1, 3, 5, 7.
  static void StoreWords(int16_t* p, I v) {
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_shuffle_epi8(_mm512_cvtepi32_epi16(v), order));
  }
  // Per lane: the sum of the products of 16 columns. Two sums hide half of the latency.
  __attribute__((always_inline)) static I DotWords(const I (*words)[4], const int16_t* x) {
    I sum[2] = {ZeroI(), ZeroI()};
    for (int i = 0; i < 8; ++i) {
      int32_t pair;
      std::memcpy(&pair, x + 2 * i, sizeof(pair));
      sum[i % 2] = _mm512_dpwssd_epi32(sum[i % 2], words[i / 4][i % 4], Set1I(pair));
    }
    return AddI(sum[0], sum[1]);
  }
};

#elif defined(GALEN_VEC_AVX2)

struct Vec {
  static constexpr int kLanes = 8;
  using F = __m256;
  using I = __m256i;
  static F Zero() { return _mm256_setzero_ps(); }
  static F Set1(float x) { return _mm256_set1_ps(x); }
  static F Load(const float* p) { return _mm256_loadu_ps(p); }
  static void Store(float* p, F v) { _mm256_storeu_ps(p, v); }
  static F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F Add(F a, F b) { return _mm256_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static I LoadI(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static I Set1I(int32_t x) { return _mm256_set1_epi32(x); }
  static I And(I a, I b) { return _mm256_and_si256(a, b); }
  static I Or(I a, I b) { return _mm256_or_si256(a, b); }
  static I Xor(I a, I b) { return _mm256_xor_si256(a, b); }
  static I Select(I mask, I a, I b) {
    return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
  }
  static I AndOr(I a, I mask, I c) { return Or(And(a, mask), c); }
  template <int s>
  static I Srl(I v) {
    if constexpr (s == 0)
      return v;
    else
      return _mm256_srli_epi32(v, s);
  }
  template <int s>
  static I Sll(I v) {
    if constexpr (s == 0)
      return v;
    else
      return _mm256_slli_epi32(v, s);
  }
  static F Cast(I v) { return _mm256_castsi256_ps(v); }
  static F ToFloat(I v) { return _mm256_cvtepi32_ps(v); }
  static F FromI8(const void* p) {
    return ToFloat(_mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }
  static F FromU8(const void* p) {
    return ToFloat(_mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }
  static I WidenU8(const void* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  }
  static F FromHalf(const void* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static __m128i Narrow(I v) {
    return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  }
  static F HalfLow(I v) {
    return _mm256_cvtph_ps(Narrow(_mm256_and_si256(v, _mm256_set1_epi32(0xFFFF))));
  }
  static F HalfHigh(I v) { return _mm256_cvtph_ps(Narrow(_mm256_srli_epi32(v, 16))); }
  static I ZeroI() { return _mm256_setzero_si256(); }
  static I AddI(I a, I b) { return _mm256_add_epi32(a, b); }
  static I SubI(I a, I b) { return _mm256_sub_epi32(a, b); }
  static I Sra7(I v) { return _mm256_srai_epi32(v, 7); }
  static I Round(F v) { return _mm256_cvtps_epi32(v); }
  static F MaxAbs(F a, F b) { return _mm256_max_ps(a, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), b)); }
  static F AddAbs(F a, F b) { return _mm256_add_ps(a, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), b)); }
  static float ReduceMax(F v) {
    alignas(32) float lanes[8];
    Store(lanes, v);
    return *std::max_element(lanes, lanes + 8);
  }
  static float ReduceAddF(F v) {
    alignas(32) float lanes[8];
    Store(lanes, v);
    return std::accumulate(lanes, lanes + 8, 0.0f);
  }
  static int32_t ReduceAdd(I v) {
    alignas(32) int32_t lanes[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), v);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3] + lanes[4] + lanes[5] + lanes[6] + lanes[7];
  }
  static void StoreI8(int8_t* p, I v) {
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }
  // As above. Products are summed in 16 bits for as long as they cannot overflow; codes of eight
  // bits go by nibbles.
  template <int max_code, int n, int U, int B>
  __attribute__((always_inline)) static void DotBytes(const I (&a)[U][8], int first,
                                                      const uint8_t* const (&b)[B],
                                                      I (&sum)[B][U]) {
    for (int j = 0; j < B; ++j) {
      for (int u = 0; u < U; ++u) sum[j][u] = DotBytes<max_code, n>(a[u] + first, b[j]);
    }
  }
  template <int max_code, int n>
  __attribute__((always_inline)) static I DotBytes(const I* a, const uint8_t* b) {
    constexpr int kAtOnce = 32767 / (2 * 127 * std::min(max_code, 128));
    const I ones = _mm256_set1_epi16(1), nibbles = Set1I(0x0F0F0F0F);
    if constexpr (max_code > 128) {
      static_assert(n <= 32767 / (2 * 127 * 15));
      I low = ZeroI(), high = ZeroI();
      for (int i = 0; i < n; ++i) {
        const I digits = Set1Bytes(b + 4 * i);
        low = _mm256_add_epi16(low, _mm256_maddubs_epi16(And(a[i], nibbles), digits));
        high = _mm256_add_epi16(
            high, _mm256_maddubs_epi16(And(_mm256_srli_epi32(a[i], 4), nibbles), digits));
      }
      return AddI(_mm256_madd_epi16(low, ones), _mm256_madd_epi16(high, _mm256_set1_epi16(16)));
    }
    I sum = ZeroI();
    for (int i = 0; i < n; i += kAtOnce) {
      I words = _mm256_maddubs_epi16(a[i], Set1Bytes(b + 4 * i));
      for (int j = i + 1; j < std::min(i + kAtOnce, n); ++j) {
        words = _mm256_add_epi16(words, _mm256_maddubs_epi16(a[j], Set1Bytes(b + 4 * j)));
      }
      sum = AddI(sum, _mm256_madd_epi16(words, ones));
    }
    return sum;
  }
  static I Set1Bytes(const uint8_t* four) {
    int32_t word;
    std::memcpy(&word, four, sizeof(word));
    return Set1I(word);
  }
  static I Shuffle(const int8_t* table, I index) {
    return _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))),
        index);
  }
  struct Table16 {
    F low, high;
  };
  static Table16 MakeTable16(const float* p) { return {Load(p), Load(p + 8)}; }
  static F Lookup(const Table16& t, I index) {
    // vpermps takes 3 bits; bit 3, moved to the sign, picks the half.
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, index),
                            _mm256_permutevar8x32_ps(t.high, index),
                            _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
  }
  // As above, by the bytes of the integers; x in the order of its columns. The values of a lane's
  // four columns become 64 bits, of the lanes of one half and of the other.
  struct WordTable {
    I low, high;
  };
  static WordTable MakeWordTable(const int16_t* p) {
    const __m128i bytes = _mm_set1_epi16(0x00FF);
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
                  second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8));
    return {_mm256_broadcastsi128_si256(
                _mm_packus_epi16(_mm_and_si128(first, bytes), _mm_and_si128(second, bytes))),
            _mm256_broadcastsi128_si256(
                _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(second, 8)))};
  }
  __attribute__((always_inline)) static void LookupWords(const WordTable& t, I nibbles,
                                                         I (&words)[4]) {
    for (int i = 0; i < 2; ++i) {
      const I index = And(i == 0 ? nibbles : Srl<4>(nibbles), Set1I(0x0F0F0F0F));
      const I low = _mm256_shuffle_epi8(t.low, index), high = _mm256_shuffle_epi8(t.high, index);
      words[2 * i] = _mm256_unpacklo_epi8(low, high);
      words[2 * i + 1] = _mm256_unpackhi_epi8(low, high);
    }
  }
  static void StoreWords(int16_t* p, I v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
  }
  __attribute__((always_inline)) static I DotWords(const I (*words)[4], const int16_t* x) {
    I low = ZeroI(), high = ZeroI();
    for (int i = 0; i < 4; ++i) {
      int64_t four;
      std::memcpy(&four, x + 4 * i, sizeof(four));
      const I columns = _mm256_set1_epi64x(four);
      low = AddI(low, _mm256_madd_epi16(words[i / 2][2 * (i % 2)], columns));
      high = AddI(high, _mm256_madd_epi16(words[i / 2][2 * (i % 2) + 1], columns));
    }
    return _mm256_hadd_epi32(low, high);
  }
};

#endif
