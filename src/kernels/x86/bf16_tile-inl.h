// The innermost loop of bf16 products whose operand is not unpacked first. Included inside a region
// with AVX512_BF16 and an anonymous namespace, after <immintrin.h> and <cstring>: no #include here.

// Sums of kRows x kVectors vectors. Every loop over them is unrolled: GCC keeps an array that any
// rolled loop indexes in memory, which costs 100 cycles a tile.
template <int kRows, int kVectors>
struct Bf16Tile {
  __m512 sums[kRows][kVectors];

  template <class Op>
  __attribute__((always_inline)) void ForEach(Op&& op) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) op(r, i, sums[r][i]);
    }
  }

  // Adds the products of `pairs` pairs of bf16, by vdpbf16ps. Pair p of row r is broadcast from
  // rows + r * row_stride + p * row_step; vector i of pair p is at vectors + i * vector_stride + p
  // * vector_step.
  __attribute__((always_inline)) void Multiply(const uint16_t* rows, int64_t row_stride,
                                               int64_t row_step, const uint16_t* vectors,
                                               int64_t vector_stride, int64_t vector_step,
                                               int64_t pairs) {
    for (int64_t p = 0; p < pairs; ++p) {
      __m512bh x[kVectors];
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) {
        x[i] = (__m512bh)_mm512_loadu_si512(vectors + i * vector_stride + p * vector_step);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        int32_t both;
        std::memcpy(&both, rows + r * row_stride + p * row_step, sizeof(both));
        const __m512bh pair = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 4
        for (int i = 0; i < kVectors; ++i) {
          sums[r][i] = _mm512_dpbf16_ps(sums[r][i], pair, x[i]);
        }
      }
    }
  }
};
