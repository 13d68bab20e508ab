#include "tensor/formats/bnb_4bit_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

namespace galen::x86 {
namespace {

constexpr float kSmallestDivisor = 1e-38f;  // bnb_4bit.cc

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq")

void EncodeAvx512(const float* thresholds, const uint8_t* code_of_rank, const float* values,
                  int64_t n, uint8_t* codes, float* absmax) {
  __m512 largest = _mm512_setzero_ps();
  for (int64_t i = 0; i < n; i += 16) {
    // The second operand is kept where either is NaN.
    largest = _mm512_max_ps(_mm512_abs_ps(_mm512_loadu_ps(values + i)), largest);
  }
  const float scale = _mm512_reduce_max_ps(largest);
  *absmax = scale;
  const __m512 inverse = _mm512_set1_ps(1.0f / std::max(scale, kSmallestDivisor));
  const __m512 one = _mm512_set1_ps(1.0f), minus_one = _mm512_set1_ps(-1.0f);
  const __m128i order = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code_of_rank));
  const __m128i weights = _mm_set1_epi16(0x0110);  // even * 16 + odd * 1
  __m512 steps[15];
  for (int t = 0; t < 15; ++t) steps[t] = _mm512_set1_ps(thresholds[t]);
  const __m512i unit = _mm512_set1_epi32(1);
  for (int64_t i = 0; i < n; i += 32) {
    __m128i words[2];
    for (int half = 0; half < 2; ++half) {
      const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(values + i + 16 * half), inverse);
      const __m512 s = _mm512_min_ps(_mm512_max_ps(minus_one, x), one);
      __m512i rank[3] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
#pragma GCC unroll 15
      for (int t = 0; t < 15; ++t) {
        const __mmask16 above = _mm512_cmp_ps_mask(s, steps[t], _CMP_GT_OQ);
        rank[t % 3] = _mm512_mask_add_epi32(rank[t % 3], above, rank[t % 3], unit);
      }
      const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(rank[0], rank[1]), rank[2]);
      const __m128i code = _mm_shuffle_epi8(order, _mm512_cvtepi32_epi8(sum));
      words[half] = _mm_maddubs_epi16(code, weights);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i / 2),
                     _mm_packus_epi16(words[0], words[1]));
  }
}

#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2")

void EncodeAvx2(const float* thresholds, const uint8_t* code_of_rank, const float* values,
                int64_t n, uint8_t* codes, float* absmax) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  __m256 largest = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; i += 8) {
    largest = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(values + i), magnitude), largest);
  }
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, largest);
  float scale = lanes[0];
  for (float lane : lanes) scale = std::max(scale, lane);
  *absmax = scale;
  const __m256 inverse = _mm256_set1_ps(1.0f / std::max(scale, kSmallestDivisor));
  const __m256 one = _mm256_set1_ps(1.0f), minus_one = _mm256_set1_ps(-1.0f);
  const __m128i order = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code_of_rank));
  const __m128i weights = _mm_set1_epi16(0x0110);
  for (int64_t i = 0; i < n; i += 16) {
    __m128i shorts[2];
    for (int half = 0; half < 2; ++half) {
      const __m256 x = _mm256_mul_ps(_mm256_loadu_ps(values + i + 8 * half), inverse);
      const __m256 s = _mm256_min_ps(_mm256_max_ps(minus_one, x), one);
      __m256i rank = _mm256_setzero_si256();
#pragma GCC unroll 15
      for (int t = 0; t < 15; ++t) {
        // A true comparison is -1.
        const __m256 above = _mm256_cmp_ps(s, _mm256_set1_ps(thresholds[t]), _CMP_GT_OQ);
        rank = _mm256_sub_epi32(rank, _mm256_castps_si256(above));
      }
      shorts[half] =
          _mm_packs_epi32(_mm256_castsi256_si128(rank), _mm256_extracti128_si256(rank, 1));
    }
    const __m128i code = _mm_shuffle_epi8(order, _mm_packus_epi16(shorts[0], shorts[1]));
    const __m128i word = _mm_maddubs_epi16(code, weights);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + i / 2), _mm_packus_epi16(word, word));
  }
}

#pragma GCC pop_options

}  // namespace

bool EncodeBnb4Block(const float* thresholds, const uint8_t* code_of_rank, const float* values,
                     int64_t n, uint8_t* codes, float* absmax) {
  static const bool kAvx512 =
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  static const bool kAvx2 = __builtin_cpu_supports("avx2");
  if (kAvx512) {
    EncodeAvx512(thresholds, code_of_rank, values, n, codes, absmax);
  } else if (kAvx2) {
    EncodeAvx2(thresholds, code_of_rank, values, n, codes, absmax);
  }
  return kAvx512 || kAvx2;
}

}  // namespace galen::x86

#endif
