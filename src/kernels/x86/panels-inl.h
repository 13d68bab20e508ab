// Many rows: a block of the weight is unpacked into a panel in cache and multiplied from there.
// Included like linear-inl.h, after it.

// ---- unpacking

// Calls store(k, value of column k) for the 32 columns of a chunk, scaled; Vec::kLanes rows from
// `lane`.
template <class Format, class Store>
__attribute__((always_inline)) inline void ForColumns(const tile16::Shape& shape,
                                                      const uint8_t* group, int64_t chunk, int lane,
                                                      const typename Format::Consts& consts,
                                                      Store&& store) {
  const typename Format::Planes planes = Format::Load(group + shape.CodesOffset(chunk), lane);
  if constexpr (Format::kSub == 0) {
    Unroll<32>([&](auto k) __attribute__((always_inline)) {
      store(k, Format::template Value<k>(planes, consts));
    });
  } else {
    Unroll<32 / Format::kSub>([&](auto sub) __attribute__((always_inline)) {
      Vec::F d, m;
      Format::Scales(group + shape.StripOffset(chunk), chunk % tile16::kStripChunks, sub, lane, &d,
                     &m);
      if constexpr (Format::kFold != 0) {  // value = 1 + code / kFold
        d = Vec::Mul(d, Vec::Set1(Format::kFold));
        m = Vec::Sub(m, d);
      }
      Unroll<Format::kSub>([&](auto i) __attribute__((always_inline)) {
        constexpr int k = sub * Format::kSub + i;
        store(std::integral_constant<int, k>{},
              Vec::Fma(Format::template Value<k>(planes, consts), d, m));
      });
    });
  }
}

// Chunks [chunk0, chunk1) of one unit of a kRows weight to floats [32 (chunk1 - chunk0)][16], by
// the scalar codec.
inline void UnpackRowsLayout(const WeightView& w, int64_t unit, int64_t chunk0, int64_t chunk1,
                             float* panel) {
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
      for (int64_t k = std::max(b, col0); k < std::min(b + n, col1); ++k)
        panel[(k - col0) * 16 + r] = values[k - b];
      b += n;
    }
  }
}

inline void UnpackF32(const WeightView& w, const tile16::Shape& shape, int64_t unit, int64_t chunk0,
                      int64_t chunk1, float* panel) {
  if (w.layout == WeightLayout::kRows) return UnpackRowsLayout(w, unit, chunk0, chunk1, panel);
  const uint8_t* group = w.data + unit * shape.group_bytes;
  WithFormat(w.dtype, [&]<class Format>(Format) {
    const typename Format::Consts consts;
    for (int64_t c = chunk0; c < chunk1; ++c, panel += 32 * 16) {
      for (int h = 0; h < kHalves; ++h) {
        ForColumns<Format>(
            shape, group, c, h * Vec::kLanes,
            consts, [&](auto k, Vec::F value) __attribute__((always_inline)) {
              Vec::Store(panel + 16 * k + h * Vec::kLanes, value);
            });
      }
    }
  });
}

// ---- fp32 panels

#if defined(GALEN_VEC_AVX512)
constexpr int kTileRows = 12;  // 12 x 2 vectors of sums, 2 of weights, 1 of x: 27 of 32 registers
constexpr int kTileUnits = 2;
#else
constexpr int kTileRows = 6;  // 6 x 2 sums, 2 of weights, 1 of x: 15 of 16 registers
constexpr int kTileUnits = 1;
#endif
constexpr int kTileVectors = kTileUnits * kHalves;

// c[M, 16 kTileUnits] += (first: =) a[M, kc] * panel; the units' panels are panel_stride floats
// apart.
template <int M>
void MicroF32(const float* a, int64_t lda, const float* panel, int64_t panel_stride, int64_t kc,
              bool first, float* c, int64_t ldc) {
  Vec::F sum[M][kTileVectors];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kTileVectors; ++v) {
      sum[m][v] = first ? Vec::Zero() : Vec::Load(c + m * ldc + v * Vec::kLanes);
    }
  }
  for (int64_t k = 0; k < kc; ++k) {
    Vec::F b[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) {
      b[v] = Vec::Load(panel + (v / kHalves) * panel_stride + 16 * k + (v % kHalves) * Vec::kLanes);
    }
    for (int m = 0; m < M; ++m) {
      const Vec::F x = Vec::Set1(a[m * lda + k]);
      for (int v = 0; v < kTileVectors; ++v) sum[m][v] = Vec::Fma(x, b[v], sum[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kTileVectors; ++v) Vec::Store(c + m * ldc + v * Vec::kLanes, sum[m][v]);
  }
}

using MicroF32Fn = void (*)(const float*, int64_t, const float*, int64_t, int64_t, bool, float*,
                            int64_t);
template <int... m>
constexpr std::array<MicroF32Fn, sizeof...(m)> MicroF32Table(std::integer_sequence<int, m...>) {
  return {MicroF32<m + 1>...};
}

struct F32Panel : RowOrder {
  using Element = float;
  static constexpr int64_t kRowsPerTile = kTileRows;
  static constexpr int64_t kUnitsPerTile = kTileUnits;
  static constexpr int64_t kUnitsPerBlock =
      8;  // panel of a block: 8 units x 8 chunks x 2 KiB = 128 KiB, in L2
  static constexpr int64_t kChunksPerBlock = 8;
  static int64_t ElementsPerChunk() { return 32 * 16; }
  static int64_t Stride(int64_t k) { return PanelStrideF32(k); }
  static void Unpack(const WeightView& w, const tile16::Shape& shape, int64_t unit, int64_t chunk0,
                     int64_t chunk1, float* panel) {
    UnpackF32(w, shape, unit, chunk0, chunk1, panel);
  }
  static void Multiply(int64_t rows, const float* a, int64_t lda, const float* panel,
                       int64_t panel_stride, int64_t chunks, bool first, float* c, int64_t ldc) {
    static constexpr auto kTable = MicroF32Table(std::make_integer_sequence<int, kTileRows>{});
    kTable[rows - 1](a, lda, panel, panel_stride, chunks * 32, first, c, ldc);
  }
  struct Session {};  // nothing to set up
};

// What a product walks: the units and chunks of a weight as they are (features are its rows).
// A panel for the transposed product brings its own.
template <class Panel>
struct PanelSource {
  static int64_t Chunks(const WeightView&, const tile16::Shape& shape) { return shape.chunks; }
  static int64_t Features(const WeightView& w) { return w.rows; }
  // Units [u0, u0 + units), chunks [c0, c1), panel_stride elements from unit to unit.
  static void Unpack(const WeightView& w, const tile16::Shape& shape, int64_t u0, int64_t units,
                     int64_t c0, int64_t c1, typename Panel::Element* panels,
                     int64_t panel_stride) {
    for (int64_t u = 0; u < units; ++u)
      Panel::Unpack(w, shape, u0 + u, c0, c1, panels + u * panel_stride);
  }
};

// ---- blocking over panels, for any element type. The order of the sums over K is the same for
// every row and any m.

constexpr int64_t kRowsPerPass = 512;  // rows of x whose sums are kept in scratch while K is walked

// Scratch of a worker: the panels of a block, then the sums of a pass: [rows, to whole
// tiles][kUnitsPerBlock * 16]. Sums go to y once, at the end: y's rows lie far apart, and reading
// them back for each block of K costs more than the products.
template <class Panel>
int64_t PanelBytes() {
  return Panel::kUnitsPerBlock * Panel::kChunksPerBlock * Panel::ElementsPerChunk() *
         static_cast<int64_t>(sizeof(typename Panel::Element));
}

template <class Panel>
int64_t PanelScratchBytes(int64_t m) {
  const int64_t rows = std::min(m, kRowsPerPass) + Panel::kRowsPerTile;
  return PanelBytes<Panel>() +
         rows * Panel::kUnitsPerBlock * 16 * static_cast<int64_t>(sizeof(float));
}

template <class Panel, class Source = PanelSource<Panel>>
void ComputePanels(const WeightView& w, const LinearOperand& operand, int64_t unit0, int64_t unit1,
                   const LinearOutput& out, void* scratch) {
  using Element = typename Panel::Element;
  [[maybe_unused]] const typename Panel::Session session;
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  const int64_t all_chunks = Source::Chunks(w, shape);
  const int64_t lda = Panel::Stride(operand.k);
  Element* panels = static_cast<Element*>(scratch);
  float* sums = reinterpret_cast<float*>(static_cast<uint8_t*>(scratch) + PanelBytes<Panel>());
  for (int64_t u0 = unit0; u0 < unit1; u0 += Panel::kUnitsPerBlock) {
    const int64_t units = std::min(unit1 - u0, Panel::kUnitsPerBlock);
    const int64_t ldc =
        (units + Panel::kUnitsPerTile - 1) / Panel::kUnitsPerTile * Panel::kUnitsPerTile * 16;
    for (int64_t m0 = 0; m0 < operand.m; m0 += kRowsPerPass) {
      const int64_t rows = std::min(operand.m - m0, kRowsPerPass);
      const Element* a = static_cast<const Element*>(operand.data) + m0 * lda;
      for (int64_t c0 = 0; c0 < all_chunks; c0 += Panel::kChunksPerBlock) {
        const int64_t chunks = std::min(all_chunks - c0, Panel::kChunksPerBlock);
        const int64_t panel_stride = chunks * Panel::ElementsPerChunk();
        Source::Unpack(w, shape, u0, units, c0, c0 + chunks, panels, panel_stride);
        for (int64_t m = 0; m < rows; m += Panel::kRowsPerTile) {
          const int64_t tile_rows = std::min(Panel::kRowsPerTile, rows - m);
          for (int64_t u = 0; u < units; u += Panel::kUnitsPerTile) {
            // A missing second unit reads the first one's panel again; nobody reads its sums.
            Panel::Multiply(tile_rows, Panel::At(a, m, c0, lda), lda, panels + u * panel_stride,
                            u + 1 < units ? panel_stride : 0, chunks, c0 == 0,
                            sums + m * ldc + u * 16, ldc);
          }
        }
      }
      const int64_t n0 = u0 * 16, cols = std::min(units * 16, Source::Features(w) - n0);
      for (int64_t m = 0; m < rows; ++m) {
        float* y = out.y + (m0 + m) * out.ldy + n0;
        float* row = sums + m * ldc;
        if (out.bias != nullptr) {
          for (int64_t n = 0; n < cols; ++n) row[n] += out.bias[n0 + n];
        }
        if (out.accumulate) {
          for (int64_t n = 0; n < cols; ++n) y[n] += row[n];
        } else {
          std::memcpy(y, row, cols * sizeof(float));
        }
      }
    }
  }
}
