// The matrix product on tile16 weights, generic over the vector width. Included inside the namespace and target region of
// one instruction set, after vec-inl.h and formats-inl.h and before linear-table-inl.h.

// ---- operands

inline int64_t PadCols(int64_t k) { return (k + 31) / 32 * 32; }

// kF32Rows: a row is K floats, then sums of each 16, then sums of each 32 of them (for the offsets of block formats).
inline int64_t RowsStride(int64_t k) {
  const int64_t padded = PadCols(k);
  return (padded + padded / 16 + padded / 32 + 15) / 16 * 16;
}
// kF32Panels: a row is K floats. One cache line more, so that rows of 2^n floats do not share a cache set.
inline int64_t PanelStrideF32(int64_t k) { return PadCols(k) + 16; }

inline void PrepareRowsF32(const float* x, int64_t k, float* row, bool sums) {
  const int64_t padded = PadCols(k);
  std::memcpy(row, x, k * sizeof(float));
  std::memset(row + k, 0, (padded - k) * sizeof(float));
  if (!sums) return;
  float* sum16 = row + padded;
  float* sum32 = sum16 + padded / 16;
  for (int64_t i = 0; i < padded / 16; ++i) {
    float s = 0.0f;
    for (int j = 0; j < 16; ++j) s += row[16 * i + j];
    sum16[i] = s;
  }
  for (int64_t i = 0; i < padded / 32; ++i) sum32[i] = sum16[2 * i] + sum16[2 * i + 1];
}

// ---- few rows: decode in registers and multiply in fp32. Bound by reading the weights.

constexpr int kHalves = 16 / Vec::kLanes;
constexpr int64_t kPrefetchBytes = 2048;  // measured: 512..4096 alike, without it 10 % slower

template <class Format, int M>
void RowsGroup(const tile16::Shape& shape, const uint8_t* group, const float* x, int64_t stride, int64_t padded,
               Vec::F (&out)[M][kHalves]) {
  // Independent sums per row hide the latency of the additions.
  constexpr int kSums = M == 1 ? 4 : M == 2 ? 2 : 1;
  const typename Format::Consts consts;
  const uint8_t* scales = group;
  const uint8_t* codes = group + shape.scale_bytes;
  const float* sums = x + padded + (Format::kSub == 32 ? padded / 16 : 0);
  for (int m = 0; m < M; ++m) {
    for (int h = 0; h < kHalves; ++h) out[m][h] = Vec::Zero();
  }
  for (int64_t c = 0; c < shape.chunks; ++c, codes += shape.code_bytes) {
    for (int64_t i = 0; i < shape.code_bytes; i += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(codes + kPrefetchBytes + i), _MM_HINT_T0);
    }
    for (int h = 0; h < kHalves; ++h) {
      const int lane = h * Vec::kLanes;
      const typename Format::Planes planes = Format::Load(codes, lane);
      Unroll<32 / Format::kSub>([&](auto sub) __attribute__((always_inline)) {
        Vec::F sum[M][kSums];
        for (int m = 0; m < M; ++m) {
          for (int i = 0; i < kSums; ++i) sum[m][i] = Vec::Zero();
        }
        Unroll<Format::kSub>([&](auto i) __attribute__((always_inline)) {
          constexpr int k = sub * Format::kSub + i;
          const Vec::F value = Format::template Value<k>(planes, consts);
          for (int m = 0; m < M; ++m) {
            sum[m][k % kSums] = Vec::Fma(value, Vec::Set1(x[m * stride + 32 * c + k]), sum[m][k % kSums]);
          }
        });
        Vec::F d, offset;
        Format::Scales(scales, c, sub, lane, &d, &offset);
        for (int m = 0; m < M; ++m) {
          for (int i = kSums / 2; i > 0; i /= 2) {
            for (int j = 0; j < i; ++j) sum[m][j] = Vec::Add(sum[m][j], sum[m][j + i]);
          }
          out[m][h] = Vec::Fma(d, sum[m][0], out[m][h]);
          if constexpr (Format::kOffset) {
            const int64_t index = (32 / Format::kSub) * c + sub;
            out[m][h] = Vec::Fma(offset, Vec::Set1(sums[m * stride + index]), out[m][h]);
          }
        }
      });
    }
  }
}

template <class Format, int M>
void RowsUnits(const WeightView& w, const tile16::Shape& shape, const float* x, int64_t stride, int64_t unit0,
               int64_t unit1, const LinearOutput& out, int64_t row0) {
  for (int64_t unit = unit0; unit < unit1; ++unit) {
    Vec::F y[M][kHalves];
    RowsGroup<Format, M>(shape, w.data + unit * shape.group_bytes, x, stride, PadCols(w.cols), y);
    const int64_t n0 = unit * 16;
    const int64_t n = std::min<int64_t>(16, w.rows - n0);
    for (int m = 0; m < M; ++m) {
      alignas(64) float values[16];
      for (int h = 0; h < kHalves; ++h) Vec::Store(values + h * Vec::kLanes, y[m][h]);
      float* dst = out.y + (row0 + m) * out.ldy + n0;
      if (out.bias != nullptr) {
        for (int64_t i = 0; i < n; ++i) values[i] += out.bias[n0 + i];
      }
      if (out.accumulate) {
        for (int64_t i = 0; i < n; ++i) values[i] += dst[i];
      }
      std::memcpy(dst, values, n * sizeof(float));
    }
  }
}

inline void ComputeRows(const WeightView& w, const LinearOperand& operand, int64_t unit0, int64_t unit1,
                        const LinearOutput& out) {
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  const int64_t stride = RowsStride(operand.k);
  const float* x = static_cast<const float*>(operand.data);
  WithFormat(w.dtype, [&]<class Format>(Format) {
    // All rows of x over one unit before the next, so that a weight is read from memory once.
    for (int64_t unit = unit0; unit < unit1; ++unit) {
      for (int64_t m = 0; m < operand.m;) {
        const float* rows = x + m * stride;
        const int64_t left = operand.m - m;
        if (left >= 4) RowsUnits<Format, 4>(w, shape, rows, stride, unit, unit + 1, out, m), m += 4;
        else if (left == 3) RowsUnits<Format, 3>(w, shape, rows, stride, unit, unit + 1, out, m), m += 3;
        else if (left == 2) RowsUnits<Format, 2>(w, shape, rows, stride, unit, unit + 1, out, m), m += 2;
        else RowsUnits<Format, 1>(w, shape, rows, stride, unit, unit + 1, out, m), m += 1;
      }
    }
  });
}

// ---- unpacking

// Calls store(k, value of column k) for the 32 columns of a chunk, scaled; Vec::kLanes rows from `lane`.
template <class Format, class Store>
__attribute__((always_inline)) inline void ForColumns(const tile16::Shape& shape, const uint8_t* group, int64_t chunk,
                                                      int lane, const typename Format::Consts& consts, Store&& store) {
  const typename Format::Planes planes = Format::Load(group + shape.scale_bytes + chunk * shape.code_bytes, lane);
  Unroll<32 / Format::kSub>([&](auto sub) __attribute__((always_inline)) {
    Vec::F d, offset;
    Format::Scales(group, chunk, sub, lane, &d, &offset);
    Unroll<Format::kSub>([&](auto i) __attribute__((always_inline)) {
      constexpr int k = sub * Format::kSub + i;
      const Vec::F value = Format::template Value<k>(planes, consts);
      if constexpr (Format::kOffset) store(std::integral_constant<int, k>{}, Vec::Fma(value, d, offset));
      else store(std::integral_constant<int, k>{}, Vec::Mul(value, d));
    });
  });
}

// Chunks [chunk0, chunk1) of one unit of a kRows weight to floats [32 (chunk1 - chunk0)][16], by the scalar codec.
inline void UnpackRowsLayout(const WeightView& w, int64_t unit, int64_t chunk0, int64_t chunk1, float* panel) {
  const BlockFormat& format = FormatOf(w.dtype);
  const int64_t row_bytes = RowBytes(w.dtype, w.cols);
  const int64_t col0 = chunk0 * 32, col1 = std::min(chunk1 * 32, w.cols);
  const int64_t begin = col0 / format.block_elems * format.block_elems;
  const int64_t end = (col1 + format.block_elems - 1) / format.block_elems * format.block_elems;
  std::memset(panel, 0, (chunk1 - chunk0) * 32 * 16 * sizeof(float));
  alignas(64) float values[256];
  for (int64_t r = 0; r < 16 && unit * 16 + r < w.rows; ++r) {
    const uint8_t* row = w.data + (unit * 16 + r) * row_bytes;
    for (int64_t b = begin; b < end;) {
      const int64_t n = std::min<int64_t>(256, end - b);
      format.decode(row + RowBytes(w.dtype, b), values, n / format.block_elems);
      for (int64_t k = std::max(b, col0); k < std::min(b + n, col1); ++k) panel[(k - col0) * 16 + r] = values[k - b];
      b += n;
    }
  }
}

inline void UnpackF32(const WeightView& w, const tile16::Shape& shape, int64_t unit, int64_t chunk0, int64_t chunk1,
                      float* panel) {
  if (w.layout == WeightLayout::kRows) return UnpackRowsLayout(w, unit, chunk0, chunk1, panel);
  const uint8_t* group = w.data + unit * shape.group_bytes;
  WithFormat(w.dtype, [&]<class Format>(Format) {
    const typename Format::Consts consts;
    for (int64_t c = chunk0; c < chunk1; ++c, panel += 32 * 16) {
      for (int h = 0; h < kHalves; ++h) {
        ForColumns<Format>(shape, group, c, h * Vec::kLanes, consts, [&](auto k, Vec::F value) __attribute__((always_inline)) {
          Vec::Store(panel + 16 * k + h * Vec::kLanes, value);
        });
      }
    }
  });
}
