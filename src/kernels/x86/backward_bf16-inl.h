// The input gradient of a product through bf16: dx = dy W with dy and W rounded, sums in fp32. The
// same loops as the product's, over panels of W turned round. Included after Bf16Panel is defined.

// A block of 16 columns x 16 rows of W from [8 column pairs][16 rows][2 columns] to
// [8 row pairs][16 columns][2 rows]. Bits of the place of a value: three exchanges of a bit of the
// register's number with one of the lane's, then two neighbours within 64 bits.
inline void TurnBlock(const uint16_t* src, uint16_t* dst) {
  __m512i a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) a[i] = _mm512_loadu_si512(src + 32 * i);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[i] = _mm512_shuffle_i64x2(a[i], a[i + 4], 0x44);
    b[i + 4] = _mm512_shuffle_i64x2(a[i], a[i + 4], 0xEE);
  }
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int at = i / 2 * 4 + i % 2;
    a[at] = _mm512_permutex2var_epi64(b[at], low, b[at + 2]);
    a[at + 2] = _mm512_permutex2var_epi64(b[at], high, b[at + 2]);
  }
  const __m512i swap = _mm512_set4_epi32(0x0F0E0B0A, 0x0D0C0908, 0x07060302, 0x05040100);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    const __m512i even = _mm512_unpacklo_epi64(a[i], a[i + 1]);
    const __m512i odd = _mm512_unpackhi_epi64(a[i], a[i + 1]);
    _mm512_storeu_si512(dst + 32 * i, _mm512_shuffle_epi8(even, swap));
    _mm512_storeu_si512(dst + 32 * (i + 1), _mm512_shuffle_epi8(odd, swap));
  }
}

// Features are the columns of W, chunks are 32 of its rows. Units begin at an even number.
struct TurnedSource {
  static int64_t Chunks(const WeightView& w, const tile16::Shape&) { return (w.rows + 31) / 32; }
  static int64_t Features(const WeightView& w) { return w.cols; }
  static void Unpack(const WeightView& w, const tile16::Shape& shape, int64_t u0, int64_t units,
                     int64_t c0, int64_t c1, uint16_t* panels, int64_t panel_stride) {
    alignas(64) uint16_t chunk[32 * 16];  // 32 columns of 16 rows
    const int64_t groups = (w.rows + 15) / 16;
    for (int64_t c = c0; c < c1; ++c) {
      for (int64_t group = 2 * c; group < 2 * c + 2; ++group) {
        for (int64_t u = 0; u < units; u += 2) {
          uint16_t* dst = panels + u * panel_stride + (c - c0) * 512 + (group % 2) * 256;
          if (group >= groups) {
            std::memset(dst, 0, 512);
            if (u + 1 < units) std::memset(dst + panel_stride, 0, 512);
            continue;
          }
          const int64_t k = (u0 + u) / 2;
          Bf16Panel::Unpack(w, shape, group, k, k + 1, chunk);
          TurnBlock(chunk, dst);
          if (u + 1 < units) TurnBlock(chunk + 256, dst + panel_stride);
        }
      }
    }
  }
};

inline int64_t BackwardBf16ScratchBytes(int64_t m) { return PanelScratchBytes<Bf16Panel>(m); }

inline void BackwardInputBf16(const WeightView& w, const LinearOperand& dy, int64_t col0,
                              int64_t col1, float* dx, bool accumulate, void* scratch) {
  ComputePanels<Bf16Panel, TurnedSource>(w, dy, col0 / 16, (col1 + 15) / 16,
                                         {dx, w.cols, nullptr, accumulate}, scratch);
}
