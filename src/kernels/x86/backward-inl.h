// Rows of a table (embedding) and the input gradient of a product. Included like linear-inl.h,
// after panels-inl.h.

// ---- rows of a table, and the input gradient

inline void DecodeRows(const WeightView& w, const int32_t* ids, int64_t begin, int64_t end,
                       float* y, int64_t ldy) {
  if (w.layout == WeightLayout::kRows) {
    const BlockFormat& format = FormatOf(w.dtype);
    for (int64_t i = begin; i < end; ++i) {
      format.decode(w.data + ids[i] * RowBytes(w.dtype, w.cols), y + i * ldy,
                    w.cols / format.block_elems);
    }
    return;
  }
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  alignas(64) float chunk[32 * 16];
  for (int64_t i = begin; i < end; ++i) {
    const int64_t unit = ids[i] / 16, lane = ids[i] % 16;
    for (int64_t c = 0; c < shape.chunks; ++c) {
      UnpackF32(w, shape, unit, c, c + 1, chunk);
      const int64_t n = std::min<int64_t>(32, w.cols - 32 * c);
      for (int64_t k = 0; k < n; ++k) y[i * ldy + 32 * c + k] = chunk[16 * k + lane];
    }
  }
}

constexpr int64_t kBackwardRows = 256;  // rows of W (the summed dimension) in a panel
constexpr int64_t kBackwardCols = 256;  // columns of W in a panel: 256 KiB, in L2

inline int64_t BackwardScratchBytes(const WeightView&) {
  return (kBackwardRows * kBackwardCols + 32 * 16) * static_cast<int64_t>(sizeof(float));
}

// W rows [n0, n1), columns [k0, k1) as panels [16 columns each][n1 - n0][16].
inline void UnpackTransposed(const WeightView& w, const tile16::Shape& shape, int64_t n0,
                             int64_t n1, int64_t k0, int64_t k1, float* chunk, float* panels) {
  const int64_t rows = n1 - n0;
  for (int64_t unit = n0 / 16; unit * 16 < n1; ++unit) {
    for (int64_t c = k0 / 32; c * 32 < k1; ++c) {
      UnpackF32(w, shape, unit, c, c + 1, chunk);
      for (int64_t half = 0; half < 2; ++half) {
        float* dst = panels + ((c * 32 - k0) / 16 + half) * rows * 16 + (unit * 16 - n0) * 16;
        const float* src = chunk + half * 256;
        const int64_t lanes = std::min<int64_t>(16, n1 - unit * 16);
        for (int64_t r = 0; r < lanes; ++r) {
          for (int64_t k = 0; k < 16; ++k) dst[r * 16 + k] = src[k * 16 + r];
        }
      }
    }
  }
}

inline void BackwardInput(const WeightView& w, const float* dy, int64_t m, int64_t col0,
                          int64_t col1, float* dx, bool accumulate, void* scratch) {
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  float* panels = static_cast<float*>(scratch);
  float* chunk = panels + kBackwardRows * kBackwardCols;
  constexpr int64_t kCols = F32Panel::kUnitsPerTile * 16;
  for (int64_t k0 = col0; k0 < col1; k0 += kBackwardCols) {
    const int64_t k1 = std::min(col1, k0 + kBackwardCols);
    if (!accumulate) {
      for (int64_t i = 0; i < m; ++i)
        std::memset(dx + i * w.cols + k0, 0, (k1 - k0) * sizeof(float));
    }
    for (int64_t n0 = 0; n0 < w.rows; n0 += kBackwardRows) {
      const int64_t n1 = std::min(w.rows, n0 + kBackwardRows);
      const int64_t rows = n1 - n0;
      UnpackTransposed(w, shape, n0, n1, k0, k1, chunk, panels);
      for (int64_t i = 0; i < m; i += F32Panel::kRowsPerTile) {
        const int64_t tile_rows = std::min(F32Panel::kRowsPerTile, m - i);
        for (int64_t k = k0; k < k1; k += kCols) {
          const int64_t cols = std::min(kCols, k1 - k);
          alignas(64) float tile[kTileRows * kCols];
          std::memset(tile, 0, sizeof(tile));
          for (int64_t r = 0; r < tile_rows; ++r) {
            std::memcpy(tile + r * kCols, dx + (i + r) * w.cols + k, cols * sizeof(float));
          }
          static constexpr auto kTable =
              MicroF32Table(std::make_integer_sequence<int, kTileRows>{});
          kTable[tile_rows - 1](dy + i * w.rows + n0, w.rows, panels + (k - k0) * rows, rows * 16,
                                rows, false, tile, kCols);
          for (int64_t r = 0; r < tile_rows; ++r) {
            std::memcpy(dx + (i + r) * w.cols + k, tile + r * kCols, cols * sizeof(float));
          }
        }
      }
    }
  }
}

// ---- the weight gradient

// dw[R][V vectors] += sum over m rows of dy[i, R] x[i, V vectors]. The sum is added once, at its
// end.
template <int R, int V>
void MicroOuter(const float* dy, int64_t ldy, const float* x, int64_t ldx, int64_t m, float* dw,
                int64_t ldw) {
  Vec::F sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) sum[r][v] = Vec::Zero();
  }
  for (int64_t i = 0; i < m; ++i) {
    Vec::F b[V];
    for (int v = 0; v < V; ++v) b[v] = Vec::Load(x + i * ldx + v * Vec::kLanes);
    for (int r = 0; r < R; ++r) {
      const Vec::F a = Vec::Set1(dy[i * ldy + r]);
      for (int v = 0; v < V; ++v) sum[r][v] = Vec::Fma(a, b[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      float* at = dw + r * ldw + v * Vec::kLanes;
      Vec::Store(at, Vec::Add(Vec::Load(at), sum[r][v]));
    }
  }
}

using MicroOuterFn = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float*,
                              int64_t);
template <int V, int... r>
constexpr std::array<MicroOuterFn, sizeof...(r)> MicroOuterTable(std::integer_sequence<int, r...>) {
  return {MicroOuter<r + 1, V>...};
}

// Two vectors of columns at a time stay in L2 for all rows of dw.
inline void BackwardWeight(const float* dy, const float* x, int64_t m, int64_t n, int64_t k,
                           int64_t n0, int64_t n1, float* dw) {
  constexpr int kRowsPerTile = kTileRows;
  static constexpr auto kWide = MicroOuterTable<2>(std::make_integer_sequence<int, kRowsPerTile>{});
  static constexpr auto kNarrow =
      MicroOuterTable<1>(std::make_integer_sequence<int, kRowsPerTile>{});
  int64_t col = 0;
  while (col + Vec::kLanes <= k) {
    const bool wide = col + 2 * Vec::kLanes <= k;
    for (int64_t r = n0; r < n1; r += kRowsPerTile) {
      const int64_t rows = std::min<int64_t>(kRowsPerTile, n1 - r);
      (wide ? kWide : kNarrow)[rows - 1](dy + r, n, x + col, k, m, dw + r * k + col, k);
    }
    col += wide ? 2 * Vec::kLanes : Vec::kLanes;
  }
  for (int64_t r = n0; r < n1 && col < k; ++r) {
    for (int64_t c = col; c < k; ++c) {
      float sum = 0;
      for (int64_t i = 0; i < m; ++i) sum += dy[i * n + r] * x[i * k + c];
      dw[r * k + c] += sum;
    }
  }
}
