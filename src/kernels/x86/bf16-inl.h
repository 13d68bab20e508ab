// Unpacking to bf16 panels, shared by the dot-product and the tile micro-kernels: [column pair][16
// rows][2], which is both what vdpbf16ps and what an AMX tile multiplies by. Included like
// linear-inl.h, after panels-inl.h.

// Row `row` of an operand of k columns, in the places of Order.
template <class Order>
void PrepareBf16(const float* x, int64_t k, int64_t row, uint16_t* operand) {
  const int64_t stride = Bf16Stride(k);
  int64_t i = 0;
  for (; i + 32 <= k; i += 32) {
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
    _mm512_storeu_si512(Order::Values(operand, row, i, stride), (__m512i)pair);
  }
  if (i < k) {
    alignas(64) float tail[32] = {};
    std::memcpy(tail, x + i, (k - i) * sizeof(float));
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_load_ps(tail + 16), _mm512_load_ps(tail));
    _mm512_storeu_si512(Order::Values(operand, row, i, stride), (__m512i)pair);
  }
}

// Interleaves 16 values of an even column with 16 of the odd one after it.
struct PairOrder {
  __m512i order;
  PairOrder() {
    alignas(64) uint16_t index[32];
    for (int i = 0; i < 16; ++i) {
      index[2 * i] = static_cast<uint16_t>(i);
      index[2 * i + 1] = static_cast<uint16_t>(16 + i);
    }
    order = _mm512_load_si512(index);
  }
  __m512i operator()(__m512 even, __m512 odd) const {
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
  }
};

// Turns a matrix of 16 x 16 dwords round.
inline void TurnDwords(__m512i r[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
  }
}

// Rows [begin, end) of an operand of k columns from the columns of x [k, ...].
template <class Order>
void PrepareTurnedBf16(const float* x, int64_t ldx, int64_t k, int64_t begin, int64_t end,
                       uint16_t* operand) {
  const PairOrder pairs;
  const int64_t stride = Bf16Stride(k);
  for (int64_t r0 = begin; r0 < end; r0 += 16) {
    const int64_t count = std::min<int64_t>(16, end - r0);
    const __mmask16 columns = static_cast<__mmask16>((1u << count) - 1);
    for (int64_t i = 0; i < k; i += 32) {
      const float* from = x + i * ldx + r0;
      __m512i rows[16];
      if (i + 32 <= k) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) {
          rows[j] = pairs(_mm512_maskz_loadu_ps(columns, from + 2 * j * ldx),
                          _mm512_maskz_loadu_ps(columns, from + (2 * j + 1) * ldx));
        }
      } else {
        const auto row = [&](int64_t j) {
          return _mm512_maskz_loadu_ps(i + j < k ? columns : __mmask16{0}, from + j * ldx);
        };
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) rows[j] = pairs(row(2 * j), row(2 * j + 1));
      }
      TurnDwords(rows);
      for (int64_t r = 0; r < count; ++r)
        _mm512_storeu_si512(Order::Values(operand, r0 + r, i, stride), rows[r]);
    }
  }
}

// Order: where the operand keeps its values (RowOrder, RowTiles).
template <class Order>
struct Bf16PanelBase {
  using Element = uint16_t;
  static int64_t ElementsPerChunk() { return 32 * 16; }
  static int64_t Stride(int64_t k) { return Bf16Stride(k); }
  static void Prepare(const float* x, int64_t k, int64_t row, uint16_t* operand) {
    PrepareBf16<Order>(x, k, row, operand);
  }
  static void PrepareTurned(const float* x, int64_t ldx, int64_t k, int64_t begin, int64_t end,
                            uint16_t* operand) {
    PrepareTurnedBf16<Order>(x, ldx, k, begin, end, operand);
  }
  static const uint16_t* At(const uint16_t* a, int64_t row, int64_t chunk, int64_t lda) {
    return Order::At(a, row, chunk, lda);
  }

  static void Unpack(const WeightView& w, const tile16::Shape& shape, int64_t unit, int64_t chunk0,
                     int64_t chunk1, uint16_t* panel) {
    if (w.layout == WeightLayout::kRows) return UnpackRows(w, unit, chunk0, chunk1, panel);
    const uint8_t* group = w.data + unit * shape.group_bytes;
    if (w.dtype == DType::kBF16) {  // stored as the panel wants it
      std::memcpy(panel, group + chunk0 * tile16::kWord2Bytes,
                  (chunk1 - chunk0) * tile16::kWord2Bytes);
      return;
    }
    const PairOrder pairs;
    WithFormat(
        w.dtype, [&]<class Format>(Format) __attribute__((always_inline)) {
          const typename Format::Consts consts;
          for (int64_t c = chunk0; c < chunk1; ++c, panel += 32 * 16) {
            __m512 even = _mm512_setzero_ps();
            ForColumns<Format>(
                shape, group, c, 0,
                consts, [&](auto k, __m512 value) __attribute__((always_inline)) {
                  if constexpr (k % 2 == 0)
                    even = value;
                  else
                    _mm512_storeu_si512(panel + 32 * (k / 2), pairs(even, value));
                });
          }
        });
  }

 private:
  // Trained weights: whole chunks of floats, row by row.
  static void UnpackFloats(const WeightView& w, int64_t unit, int64_t chunk, uint16_t* panel) {
    const float* first = reinterpret_cast<const float*>(w.data) + unit * 16 * w.cols + chunk * 32;
    __m512i rows[16];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) {
      const float* row = first + r * w.cols;
      rows[r] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(row + 16), _mm512_loadu_ps(row));
    }
    TurnDwords(rows);
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) _mm512_storeu_si512(panel + 32 * r, rows[r]);
  }

  static void UnpackRows(const WeightView& w, int64_t unit, int64_t chunk0, int64_t chunk1,
                         uint16_t* panel) {
    const PairOrder pairs;
    alignas(64) float values[32 * 16];
    for (int64_t c = chunk0; c < chunk1; ++c, panel += 32 * 16) {
      if (w.dtype == DType::kF32 && unit * 16 + 16 <= w.rows && c * 32 + 32 <= w.cols) {
        UnpackFloats(w, unit, c, panel);
        continue;
      }
      UnpackRowsLayout(w, unit, c, c + 1, values);
      for (int k = 0; k < 32; k += 2) {
        _mm512_storeu_si512(panel + 16 * k, pairs(_mm512_load_ps(values + 16 * k),
                                                  _mm512_load_ps(values + 16 * k + 16)));
      }
    }
  }
};
