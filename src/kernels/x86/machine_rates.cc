#include "kernels/machine_rates.h"

#include <immintrin.h>

namespace galen {
namespace {

// Twelve independent sums hide the latency of the additions on every core known. The compiler must
// not see that they are equal, hence the empty assembly at their start.
constexpr int kSums = 12;

#pragma GCC push_options
#pragma GCC target("avx2,fma")
void Fp32Avx2(int64_t n) {
  __m256 sums[kSums];
#pragma GCC unroll 12
  for (__m256& s : sums) {
    s = _mm256_setzero_ps();
    asm volatile("" : "+x"(s));
  }
  const __m256 x = _mm256_set1_ps(1.0001f);
  for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) sums[k] = _mm256_fmadd_ps(x, x, sums[k]);
    asm volatile("" : "+x"(sums[0]));
  }
#pragma GCC unroll 12
  for (__m256& s : sums) asm volatile("" ::"x"(s));
}
void Int8Avx2(int64_t n) {
  __m256i sums[kSums];
#pragma GCC unroll 12
  for (__m256i& s : sums) {
    s = _mm256_setzero_si256();
    asm volatile("" : "+x"(s));
  }
  __m256i x = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int64_t i = 0; i < n; ++i) {
    asm volatile("" : "+x"(x));
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) {
      __m256i pairs = _mm256_maddubs_epi16(x, x);
      asm volatile("" : "+x"(pairs));
      sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(pairs, ones));
    }
  }
#pragma GCC unroll 12
  for (__m256i& s : sums) asm volatile("" ::"x"(s));
}
// Four sums hide the latency of the exclusive or.
uint64_t ReadAvx2(const uint8_t* data, int64_t bytes, int64_t streams, int64_t ahead) {
  const int64_t part = bytes / streams;
  __m256i sums[4] = {};
  for (int64_t i = 0; i + 256 <= part; i += 256) {
    for (int64_t s = 0; s < streams; ++s) {
      const uint8_t* p = data + s * part + i;
      for (int line = 0; line < 256; line += 64) {
        if (ahead > 0) _mm_prefetch(reinterpret_cast<const char*>(p + ahead + line), _MM_HINT_T0);
        for (int half = 0; half < 64; half += 32) {
          const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + line + half));
          sums[line / 64] = _mm256_xor_si256(sums[line / 64], v);
        }
      }
    }
  }
  const __m256i sum =
      _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]), _mm256_xor_si256(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(sum, 0) ^ _mm256_extract_epi64(sum, 1));
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vnni,avx512bf16")
uint64_t ReadAvx512(const uint8_t* data, int64_t bytes, int64_t streams, int64_t ahead) {
  const int64_t part = bytes / streams;
  __m512i sums[4] = {};
  for (int64_t i = 0; i + 256 <= part; i += 256) {
    for (int64_t s = 0; s < streams; ++s) {
      const uint8_t* p = data + s * part + i;
#pragma GCC unroll 4
      for (int line = 0; line < 4; ++line) {
        if (ahead > 0)
          _mm_prefetch(reinterpret_cast<const char*>(p + ahead + 64 * line), _MM_HINT_T0);
        sums[line] = _mm512_xor_si512(sums[line], _mm512_loadu_si512(p + 64 * line));
      }
    }
  }
  const __m512i sum =
      _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(sum));
}
void Fp32Avx512(int64_t n) {
  __m512 sums[kSums];
#pragma GCC unroll 12
  for (__m512& s : sums) {
    s = _mm512_setzero_ps();
    asm volatile("" : "+v"(s));
  }
  const __m512 x = _mm512_set1_ps(1.0001f);
  for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) sums[k] = _mm512_fmadd_ps(x, x, sums[k]);
    asm volatile("" : "+v"(sums[0]));
  }
#pragma GCC unroll 12
  for (__m512& s : sums) asm volatile("" ::"v"(s));
}
void Bf16Avx512(int64_t n) {
  __m512 sums[kSums];
#pragma GCC unroll 12
  for (__m512& s : sums) {
    s = _mm512_setzero_ps();
    asm volatile("" : "+v"(s));
  }
  const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f803f80);
  for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) sums[k] = _mm512_dpbf16_ps(sums[k], x, x);
    asm volatile("" : "+v"(sums[0]));
  }
#pragma GCC unroll 12
  for (__m512& s : sums) asm volatile("" ::"v"(s));
}
void Int8Avx512(int64_t n) {
  __m512i sums[kSums];
#pragma GCC unroll 12
  for (__m512i& s : sums) {
    s = _mm512_setzero_si512();
    asm volatile("" : "+v"(s));
  }
  const __m512i x = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kSums; ++k) sums[k] = _mm512_dpbusd_epi32(sums[k], x, x);
    asm volatile("" : "+v"(sums[0]));
  }
#pragma GCC unroll 12
  for (__m512i& s : sums) asm volatile("" ::"v"(s));
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16,amx-int8")
struct Tiles {
  Tiles() {
    alignas(64) uint8_t config[64] = {1};
    for (int i = 0; i < 8; ++i) config[16 + 2 * i] = 64, config[48 + i] = 16;
    // Not _tile_loadconfig: GCC 12 believes that it reads 8 bytes and drops the stores to the
    // others.
    asm volatile("ldtilecfg %0" ::"m"(config));
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
  }
  ~Tiles() { _tile_release(); }
};
void Bf16Amx(int64_t n) {
  const Tiles tiles;
  for (int64_t i = 0; i < n / 8; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}
void Int8Amx(int64_t n) {
  const Tiles tiles;
  for (int64_t i = 0; i < n / 8; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
}
#pragma GCC pop_options

}  // namespace

RateLoops RateLoopsFor(Isa isa) {
  RateLoops loops;
  switch (isa) {
    case Isa::kRef:
      break;
    case Isa::kAvx2:
      loops.fp32 = Fp32Avx2, loops.fp32_ops = kSums * 8 * 2;
      loops.int8 = Int8Avx2, loops.int8_ops = kSums * 32 * 2;
      loops.read = ReadAvx2;
      break;
    case Isa::kAmx:
    case Isa::kAvx512Bf16:
      loops.bf16 = Bf16Avx512, loops.bf16_ops = kSums * 32 * 2;
      [[fallthrough]];
    case Isa::kAvx512:
      loops.fp32 = Fp32Avx512, loops.fp32_ops = kSums * 16 * 2;
      loops.int8 = Int8Avx512, loops.int8_ops = kSums * 64 * 2;
      loops.read = ReadAvx512;
      break;
  }
  if (isa == Isa::kAmx) {  // an iteration is an eighth of a round of four tiles
    loops.bf16 = Bf16Amx, loops.bf16_ops = 4 * 16 * 16 * 32 * 2 / 8.0;
    loops.int8 = Int8Amx, loops.int8_ops = 4 * 16 * 16 * 64 * 2 / 8.0;
  }
  return loops;
}

}  // namespace galen
