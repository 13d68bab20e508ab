// AVX2. A weight is two 16-bit halves: pmaddwd multiplies two pixels by two halves and adds them,
// which is several times faster than 32-bit products; (sum of high << 15) + (sum of low) is the
// exact sum, modulo 2^32 as everywhere.
#include "media/image/resample_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#define GALEN_AVX2 __attribute__((target("avx2")))

namespace galen {
namespace {

constexpr int64_t kRows = 4;

struct Sums {
  __m256i low, high;
};

GALEN_AVX2 inline void MultiplyAdd(Sums* sums, __m256i pixels, __m256i low, __m256i high) {
  sums->low = _mm256_add_epi32(sums->low, _mm256_madd_epi16(pixels, low));
  sums->high = _mm256_add_epi32(sums->high, _mm256_madd_epi16(pixels, high));
}

GALEN_AVX2 inline __m256i Join(const Sums& sums) {
  return _mm256_add_epi32(sums.low, _mm256_slli_epi32(sums.high, FixedWeights::kLowBits));
}

// The sums of both halves, in the lanes of one.
GALEN_AVX2 inline __m128i Fold(const Sums& sums) {
  const __m256i joined = Join(sums);
  return _mm_add_epi32(_mm256_castsi256_si128(joined), _mm256_extracti128_si256(joined, 1));
}

// Rounds, shifts and clamps four registers of sums to 16 bytes.
GALEN_AVX2 inline __m128i Pack(__m128i a, __m128i b, __m128i c, __m128i d, __m128i half,
                               __m128i bits) {
  a = _mm_sra_epi32(_mm_add_epi32(a, half), bits);
  b = _mm_sra_epi32(_mm_add_epi32(b, half), bits);
  c = _mm_sra_epi32(_mm_add_epi32(c, half), bits);
  d = _mm_sra_epi32(_mm_add_epi32(d, half), bits);
  return _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
}

// Four taps at a time: the lower half of a register takes taps 0 and 1 of the three channels, the
// upper 2 and 3.
GALEN_AVX2 void HorizontalRgb(const uint8_t* const* in, uint8_t* const* out,
                              const FixedWeights& weights) {
  const __m256i spread_pixels =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                       6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i spread_weights =
      _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,  //
                       4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  const __m128i half = _mm_set1_epi32(1 << (weights.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(weights.bits);
  const int64_t targets = weights.targets();
  for (int64_t x = 0; x < targets; ++x) {
    const int16_t* low = weights.low.data() + x * weights.stride;
    const int16_t* high = weights.high.data() + x * weights.stride;
    Sums sums[kRows] = {};
    int64_t at = int64_t{3} * weights.first[x];
    for (int64_t k = 0; k < weights.count[x]; k += 4, at += 12) {
      int64_t four_low, four_high;
      std::memcpy(&four_low, low + k, 8);
      std::memcpy(&four_high, high + k, 8);
      const __m256i wl = _mm256_shuffle_epi8(_mm256_set1_epi64x(four_low), spread_weights);
      const __m256i wh = _mm256_shuffle_epi8(_mm256_set1_epi64x(four_high), spread_weights);
      for (int64_t r = 0; r < kRows; ++r) {
        const __m256i pixels = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(in[r] + at)));
        MultiplyAdd(&sums[r], _mm256_shuffle_epi8(pixels, spread_pixels), wl, wh);
      }
    }
    alignas(16) uint8_t bytes[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes),
                    Pack(Fold(sums[0]), Fold(sums[1]), Fold(sums[2]), Fold(sums[3]), half, bits));
    for (int64_t r = 0; r < kRows; ++r) std::memcpy(out[r] + 3 * x, bytes + 4 * r, 3);
  }
}

GALEN_AVX2 void HorizontalGrey(const uint8_t* const* in, uint8_t* const* out,
                               const FixedWeights& weights) {
  const __m128i half = _mm_set1_epi32(1 << (weights.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(weights.bits);
  const int64_t targets = weights.targets();
  for (int64_t x = 0; x < targets; ++x) {
    const int16_t* low = weights.low.data() + x * weights.stride;
    const int16_t* high = weights.high.data() + x * weights.stride;
    Sums sums[kRows] = {};
    for (int64_t k = 0; k < weights.count[x]; k += 16) {
      const __m256i wl = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(low + k));
      const __m256i wh = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(high + k));
      for (int64_t r = 0; r < kRows; ++r) {
        const auto* pixels = reinterpret_cast<const __m128i*>(in[r] + weights.first[x] + k);
        MultiplyAdd(&sums[r], _mm256_cvtepu8_epi16(_mm_loadu_si128(pixels)), wl, wh);
      }
    }
    const __m128i pairs01 = _mm_hadd_epi32(Fold(sums[0]), Fold(sums[1]));
    const __m128i pairs23 = _mm_hadd_epi32(Fold(sums[2]), Fold(sums[3]));
    const __m128i totals = _mm_hadd_epi32(pairs01, pairs23);
    const int32_t bytes = _mm_cvtsi128_si32(Pack(totals, totals, totals, totals, half, bits));
    for (int64_t r = 0; r < kRows; ++r) out[r][x] = static_cast<uint8_t>(bytes >> (8 * r));
  }
}

void Horizontal(const uint8_t* const* in, uint8_t* const* out, int64_t rows, int64_t channels,
                const FixedWeights& weights) {
  if (rows < kRows || (channels != 1 && channels != 3)) {
    kResampleRef.horizontal(in, out, rows, channels, weights);
  } else if (channels == 3) {
    HorizontalRgb(in, out, weights);
  } else {
    HorizontalGrey(in, out, weights);
  }
}

// Sixteen columns at a time, two rows a step.
GALEN_AVX2 void Vertical(const uint8_t* in, int64_t in_stride, uint8_t* out, int64_t bytes,
                         const FixedWeights& weights, int64_t y) {
  const int16_t* low = weights.low.data() + y * weights.stride;
  const int16_t* high = weights.high.data() + y * weights.stride;
  const uint8_t* top = in + weights.first[y] * in_stride;
  const int64_t count = weights.count[y];
  const __m128i half = _mm_set1_epi32(1 << (weights.bits - 1));
  const __m128i bits = _mm_cvtsi32_si128(weights.bits);
  int64_t i = 0;
  for (; i + 16 <= bytes; i += 16) {
    Sums first = {}, second = {};
    for (int64_t k = 0; k < count; k += 2) {
      int32_t two_low, two_high;
      std::memcpy(&two_low, low + k, 4);
      std::memcpy(&two_high, high + k, 4);
      const __m256i wl = _mm256_set1_epi32(two_low);
      const __m256i wh = _mm256_set1_epi32(two_high);
      const uint8_t* pixels = top + k * in_stride + i;
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels));
      // The weight of a second row that is not there is 0.
      const __m128i b =
          k + 1 < count ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels + in_stride)) : a;
      MultiplyAdd(&first, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), wl, wh);
      MultiplyAdd(&second, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), wl, wh);
    }
    const __m256i f = Join(first), s = Join(second);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     Pack(_mm256_castsi256_si128(f), _mm256_extracti128_si256(f, 1),
                          _mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1), half, bits));
  }
  if (i < bytes) kResampleRef.vertical(in + i, in_stride, out + i, bytes - i, weights, y);
}

}  // namespace

const ResampleKernels kResampleAvx2 = {"avx2", kRows, Horizontal, Vertical};

}  // namespace galen
#endif
