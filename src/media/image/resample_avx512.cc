// AVX-512 (F and BW): as resample_avx2.cc, with two rows a register in the horizontal pass and 32
// columns in the vertical one.
#include "media/image/resample_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#define GALEN_AVX512 __attribute__((target("avx512f,avx512bw,avx2")))

namespace galen {
namespace {

constexpr int64_t kRows = 4;
constexpr int64_t kPairs = kRows / 2;

struct Sums {
  __m512i low, high;
};

GALEN_AVX512 inline void MultiplyAdd(Sums* sums, __m512i pixels, __m512i low, __m512i high) {
  sums->low = _mm512_add_epi32(sums->low, _mm512_madd_epi16(pixels, low));
  sums->high = _mm512_add_epi32(sums->high, _mm512_madd_epi16(pixels, high));
}

GALEN_AVX512 inline __m512i Join(const Sums& sums) {
  return _mm512_add_epi32(sums.low, _mm512_slli_epi32(sums.high, FixedWeights::kLowBits));
}

// Rounds, shifts and clamps the sums to bytes, in order.
GALEN_AVX512 inline __m128i Pack(__m512i sums, __m512i half, __m128i bits) {
  const __m512i values = _mm512_sra_epi32(_mm512_add_epi32(sums, half), bits);
  return _mm512_cvtusepi32_epi8(_mm512_max_epi32(values, _mm512_setzero_si512()));
}

GALEN_AVX512 inline __m512i LoadTwoRows(const uint8_t* a, const uint8_t* b) {
  const __m512i both = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
  return _mm512_mask_broadcast_i32x4(both, 0xff00,
                                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
}

GALEN_AVX512 void HorizontalRgb(const uint8_t* const* in, uint8_t* const* out,
                                const FixedWeights& weights) {
  const __m512i spread_pixels = _mm512_broadcast_i64x4(
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                       6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const __m512i spread_weights =
      _mm512_broadcast_i64x4(_mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,  //
                                              4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
  const __m512i half = _mm512_set1_epi32(1 << (weights.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(weights.bits);
  const int64_t targets = weights.targets();
  for (int64_t x = 0; x < targets; ++x) {
    const int16_t* low = weights.low.data() + x * weights.stride;
    const int16_t* high = weights.high.data() + x * weights.stride;
    Sums sums[kPairs] = {};
    int64_t at = int64_t{3} * weights.first[x];
    for (int64_t k = 0; k < weights.count[x]; k += 4, at += 12) {
      int64_t four_low, four_high;
      std::memcpy(&four_low, low + k, 8);
      std::memcpy(&four_high, high + k, 8);
      const __m512i wl = _mm512_shuffle_epi8(_mm512_set1_epi64(four_low), spread_weights);
      const __m512i wh = _mm512_shuffle_epi8(_mm512_set1_epi64(four_high), spread_weights);
      for (int64_t p = 0; p < kPairs; ++p) {
        const __m512i pixels = LoadTwoRows(in[2 * p] + at, in[2 * p + 1] + at);
        MultiplyAdd(&sums[p], _mm512_shuffle_epi8(pixels, spread_pixels), wl, wh);
      }
    }
    // [row a taps 01, row a taps 23, row b 01, row b 23] of two pairs -> [a, b, c, d].
    for (int64_t p = 0; p < kPairs; p += 2) {
      const __m512i ab = Join(sums[p]), cd = Join(sums[p + 1]);
      const __m512i total =
          _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
      alignas(16) uint8_t bytes[16];
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes), Pack(total, half, bits));
      for (int64_t r = 0; r < 4; ++r) std::memcpy(out[2 * p + r] + 3 * x, bytes + 4 * r, 3);
    }
  }
}

void Horizontal(const uint8_t* const* in, uint8_t* const* out, int64_t rows, int64_t channels,
                const FixedWeights& weights) {
  if (rows == kRows && channels == 3) return HorizontalRgb(in, out, weights);
  for (int64_t r = 0; r < rows; r += kResampleAvx2.rows) {
    const int64_t some = rows - r < kResampleAvx2.rows ? rows - r : kResampleAvx2.rows;
    kResampleAvx2.horizontal(in + r, out + r, some, channels, weights);
  }
}

GALEN_AVX512 void Vertical(const uint8_t* in, int64_t in_stride, uint8_t* out, int64_t bytes,
                           const FixedWeights& weights, int64_t y) {
  const int16_t* low = weights.low.data() + y * weights.stride;
  const int16_t* high = weights.high.data() + y * weights.stride;
  const uint8_t* top = in + weights.first[y] * in_stride;
  const int64_t count = weights.count[y];
  const __m512i half = _mm512_set1_epi32(1 << (weights.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(weights.bits);
  int64_t i = 0;
  for (; i + 32 <= bytes; i += 32) {
    // first: columns 0..7 and 16..23; second: 8..15 and 24..31 (unpack works in each half).
    Sums first = {}, second = {};
    for (int64_t k = 0; k < count; k += 2) {
      int32_t two_low, two_high;
      std::memcpy(&two_low, low + k, 4);
      std::memcpy(&two_high, high + k, 4);
      const __m512i wl = _mm512_set1_epi32(two_low);
      const __m512i wh = _mm512_set1_epi32(two_high);
      const uint8_t* pixels = top + k * in_stride + i;
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pixels));
      // The weight of a second row that is not there is 0.
      const __m256i b =
          k + 1 < count ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pixels + in_stride))
                        : a;
      MultiplyAdd(&first, _mm512_cvtepu8_epi16(_mm256_unpacklo_epi8(a, b)), wl, wh);
      MultiplyAdd(&second, _mm512_cvtepu8_epi16(_mm256_unpackhi_epi8(a, b)), wl, wh);
    }
    const __m128i f = Pack(Join(first), half, bits), s = Pack(Join(second), half, bits);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm_unpacklo_epi64(f, s));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i + 16), _mm_unpackhi_epi64(f, s));
  }
  if (i < bytes) kResampleAvx2.vertical(in + i, in_stride, out + i, bytes - i, weights, y);
}

}  // namespace

const ResampleKernels kResampleAvx512 = {"avx512", kRows, Horizontal, Vertical};

}  // namespace galen
#endif
