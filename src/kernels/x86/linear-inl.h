// Few rows: the weight is read once from memory and decoded in registers. Included inside the
// namespace and target region of one instruction set, after vec-inl.h and formats-inl.h. Bound by
// reading the weights.

constexpr int kHalves = 16 / Vec::kLanes;

inline int64_t PadCols(int64_t k) { return (k + 31) / 32 * 32; }

// Fetches the bytes of U adjacent groups in their order, a chunk's share of them at each chunk, and
// then those of the next U.
struct Prefetcher {
  ReadAhead ahead;
  const uint8_t* group;
  int64_t at, share;  // in each group
  Prefetcher(const tile16::Shape& shape, const uint8_t* group, int64_t rows = 1)
      : ahead(ReadAheadHere(rows)),
        group(group),
        at(ahead.bytes),
        share(shape.group_bytes / shape.chunks) {}
  // lines: cache lines of a chunk's share, rounded up.
  template <int lines, int U = 1>
  void Next(const tile16::Shape& shape) {
    while (at >= shape.group_bytes) {
      at -= shape.group_bytes;
      group += U * shape.group_bytes;
    }
    for (int u = 0; u < U; ++u) {
      const char* line = reinterpret_cast<const char*>(group + u * shape.group_bytes + at);
      if (ahead.second_level) {
        for (int i = 0; i < lines; ++i) _mm_prefetch(line + 64 * i, _MM_HINT_T1);
      } else {
        for (int i = 0; i < lines; ++i) _mm_prefetch(line + 64 * i, _MM_HINT_T0);
      }
    }
    at += share;
  }
};

// Writes the sums of one unit for row m of the batch: bias, accumulation and the border of N.
inline void StoreUnit(const WeightView& w, const LinearOutput& out, int64_t m, int64_t unit,
                      const float* sums) {
  const int64_t n0 = unit * 16, n = std::min<int64_t>(16, w.rows - n0);
  float* y = out.y + m * out.ldy + n0;
  if (n == 16) {
    for (int h = 0; h < kHalves; ++h) {
      const int lane = h * Vec::kLanes;
      Vec::F value = Vec::Load(sums + lane);
      if (out.bias != nullptr) value = Vec::Add(value, Vec::Load(out.bias + n0 + lane));
      if (out.accumulate) value = Vec::Add(Vec::Load(y + lane), value);
      Vec::Store(y + lane, value);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    float value = sums[i];
    if (out.bias != nullptr) value += out.bias[n0 + i];
    y[i] = out.accumulate ? y[i] + value : value;
  }
}

// ---- plain weights: fp32

// Operand: rows of PanelStrideF32(k) floats, zero from k to the next multiple of 32. One cache line
// more than that, so that rows of 2^n floats do not share a cache set.
inline int64_t PanelStrideF32(int64_t k) { return PadCols(k) + 16; }

inline void PrepareF32(const float* x, int64_t k, float* row) {
  std::memcpy(row, x, k * sizeof(float));
  std::memset(row + k, 0, (PadCols(k) - k) * sizeof(float));
}

template <class Format, int M>
void PlainUnit(const WeightView& w, const tile16::Shape& shape, int64_t unit, const float* x,
               int64_t stride, int64_t m0, const LinearOutput& out) {
  constexpr int kSums = M == 1   ? 4
                        : M == 2 ? 2
                                 : 1;  // independent sums hide the latency of the additions
  const typename Format::Consts consts;
  const uint8_t* group = w.data + unit * shape.group_bytes;
  alignas(64) float result[M][16];
  for (int h = 0; h < kHalves; ++h) {
    const uint8_t* codes = group;
    Prefetcher prefetch(shape, group);
    Vec::F sum[M][kSums];
    for (int m = 0; m < M; ++m) {
      for (int i = 0; i < kSums; ++i) sum[m][i] = Vec::Zero();
    }
    for (int64_t c = 0; c < shape.chunks; ++c, codes += shape.code_bytes) {
      prefetch.Next<Format::kCodeBytes / 64>(shape);
      const typename Format::Planes planes = Format::Load(codes, h * Vec::kLanes);
      Unroll<32>([&](auto k) __attribute__((always_inline)) {
        const Vec::F value = Format::template Value<k>(planes, consts);
        for (int m = 0; m < M; ++m) {
          sum[m][k % kSums] =
              Vec::Fma(value, Vec::Set1(x[m * stride + 32 * c + k]), sum[m][k % kSums]);
        }
      });
    }
    for (int m = 0; m < M; ++m) {
      for (int i = 1; i < kSums; ++i) sum[m][0] = Vec::Add(sum[m][0], sum[m][i]);
      Vec::Store(result[m] + h * Vec::kLanes, sum[m][0]);
    }
  }
  for (int m = 0; m < M; ++m) StoreUnit(w, out, m0 + m, unit, result[m]);
}

// ---- tables of floats (NF4, FP4): fp32, a sum for each scale

template <class Format, int M>
void TableUnit(const WeightView& w, const tile16::Shape& shape, int64_t unit, const float* x,
               int64_t stride, int64_t m0, const LinearOutput& out) {
  constexpr int kSums = M == 1 ? 4 : M == 2 ? 2 : 1;
  const typename Format::Consts consts;
  const uint8_t* group = w.data + unit * shape.group_bytes;
  alignas(64) float result[M][16];
  for (int h = 0; h < kHalves; ++h) {
    const uint8_t* strip = group;
    const uint8_t* codes = group;
    Prefetcher prefetch(shape, group);
    Vec::F total[M];
    for (int m = 0; m < M; ++m) total[m] = Vec::Zero();
    for (int64_t c = 0; c < shape.chunks; ++c, codes += shape.code_bytes) {
      if (c % tile16::kStripChunks == 0) {
        strip = codes;
        codes += shape.ScaleBytes(c);
      }
      prefetch.Next<Format::kCodeBytes / 64 + 1>(shape);
      const typename Format::Planes planes = Format::Load(codes, h * Vec::kLanes);
      Vec::F sum[M][kSums];
      for (int m = 0; m < M; ++m) {
        for (int i = 0; i < kSums; ++i) sum[m][i] = Vec::Zero();
      }
      Unroll<32>([&](auto k) __attribute__((always_inline)) {
        const Vec::F value = Format::template Value<k>(planes, consts);
        for (int m = 0; m < M; ++m) {
          sum[m][k % kSums] =
              Vec::Fma(value, Vec::Set1(x[m * stride + 32 * c + k]), sum[m][k % kSums]);
        }
      });
      Vec::F d, unused;
      Format::Scales(strip, c % tile16::kStripChunks, 0, h * Vec::kLanes, &d, &unused);
      for (int m = 0; m < M; ++m) {
        for (int i = 1; i < kSums; ++i) sum[m][0] = Vec::Add(sum[m][0], sum[m][i]);
        total[m] = Vec::Fma(sum[m][0], d, total[m]);
      }
    }
    for (int m = 0; m < M; ++m) Vec::Store(result[m] + h * Vec::kLanes, total[m]);
  }
  for (int m = 0; m < M; ++m) StoreUnit(w, out, m0 + m, unit, result[m]);
}

template <class Format, int M>
void FloatUnit(const WeightView& w, const tile16::Shape& shape, int64_t unit, const float* x,
               int64_t stride, int64_t m0, const LinearOutput& out) {
  if constexpr (kIsTable<Format>)
    TableUnit<Format, M>(w, shape, unit, x, stride, m0, out);
  else
    PlainUnit<Format, M>(w, shape, unit, x, stride, m0, out);
}

// ---- block formats: x as digits (LinearPlan::kDigits), exact integer sums per scale

// Where products of bytes are summed in 16 bits (AVX2), codes of eight bits take the two highest
// digits of x as one integer of 16 bits.
#if defined(GALEN_VEC_AVX2)
constexpr int64_t kDigitWordsBytes = 64;
#else
constexpr int64_t kDigitWordsBytes = 0;
#endif

// Operand row: for each chunk, D x 32 digits, the highest first, and, if D > 1, kDigitWordsBytes of
// the two highest together; then per chunk the scale, the sums of the two halves and the sum of the
// chunk, each a float and the sums already scaled.
constexpr int64_t DigitsChunkBytes(int digits) {
  return 32 * digits + (digits > 1 ? kDigitWordsBytes : 0);
}
inline int64_t DigitsBytes(int64_t chunks, int digits) {
  return (chunks * (DigitsChunkBytes(digits) + 16) + 63) / 64 * 64;
}

// 32 columns of x from column 32 c on, zero from column k on.
struct XChunk {
  static constexpr int kVectors = 32 / Vec::kLanes;
  Vec::F v[kVectors];
  bool finite;
  float largest;  // magnitude; 0 if not finite
  XChunk(const float* x, int64_t c, int64_t k) {
    alignas(64) float tail[32];
    x += 32 * c;
    if (32 * (c + 1) > k) {
      std::memset(tail, 0, sizeof(tail));
      std::memcpy(tail, x, (k - 32 * c) * sizeof(float));
      x = tail;
    }
    Vec::F max = Vec::Zero(), zero = Vec::Zero();
    for (int i = 0; i < kVectors; ++i) {
      v[i] = Vec::Load(x + i * Vec::kLanes);
      max = Vec::MaxAbs(max, v[i]);
      zero = Vec::Fma(v[i], Vec::Zero(), zero);  // NaN if any value is not finite
    }
    alignas(64) float lanes[Vec::kLanes];
    Vec::Store(lanes, zero);
    finite = true;
    for (float lane : lanes) finite &= lane == 0.0f;
    largest = finite ? Vec::ReduceMax(max) : 0.0f;
  }
};

template <int D>
void PrepareDigits(const float* x, int64_t k, uint8_t* row) {
  const int64_t chunks = PadCols(k) / 32;
  constexpr int64_t kChunkBytes = DigitsChunkBytes(D);
  float* info = reinterpret_cast<float*>(row + chunks * kChunkBytes);
  constexpr float kLargest = D == 1 ? 127.0f : D == 2 ? 127.0f * 128 : 127.0f * 128 * 128;
  for (int64_t c = 0; c < chunks; ++c, info += 4) {
    const XChunk chunk(x, c, k);
    const float largest = chunk.largest;
    // Below this the reciprocal overflows; such a block is zero to any sum it meets.
    const bool tiny = largest < 1e-30f;
    const float inverse = tiny ? 0.0f : kLargest / largest;
    const float scale = !chunk.finite ? std::numeric_limits<float>::quiet_NaN()
                        : tiny        ? 0.0f
                                      : largest / kLargest;
    int8_t* digits = reinterpret_cast<int8_t*>(row) + c * kChunkBytes;
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < XChunk::kVectors; ++i) {
      Vec::I q = chunk.finite ? Vec::Round(Vec::Mul(chunk.v[i], Vec::Set1(inverse))) : Vec::ZeroI();
      sums[i * Vec::kLanes / 16] += Vec::ReduceAdd(q);
      for (int digit = D - 1; digit > 0; --digit) {
        // q = 128 * high + low with low in [-64, 63].
        const Vec::I high = Vec::Sra7(Vec::AddI(q, Vec::Set1I(64)));
        Vec::StoreI8(digits + digit * 32 + i * Vec::kLanes, Vec::SubI(q, Vec::Sll<7>(high)));
#if defined(GALEN_VEC_AVX2)
        if (digit == 1)
          Vec::StoreDigitWords(reinterpret_cast<int16_t*>(digits + 32 * D) + i * Vec::kLanes, q);
#endif
        q = high;
      }
      Vec::StoreI8(digits + i * Vec::kLanes, q);
    }
    info[0] = scale;
    info[1] = scale * static_cast<float>(sums[0]);
    info[2] = scale * static_cast<float>(sums[1]);
    info[3] = scale * static_cast<float>(sums[0] + sums[1]);
  }
}

// Units that share the digits of x in registers where several rows are multiplied. One row is bound
// by memory, and the processor's own prefetching follows one group better than two.
#if defined(GALEN_VEC_AVX512)
constexpr int kDigitsUnits = 2;
#else
constexpr int kDigitsUnits = 1;
#endif

// Of U units: the codes bytes[u][first..first + n) times the first D digits (one or two) of their
// columns in a chunk of x, which has kOf digits. Two digits fit an int32: at most 32 codes of 255
// times 128 * 128.
template <class Format, int D, int kOf, int n, int U>
__attribute__((always_inline)) inline void DotDigits(const Vec::I (&bytes)[U][8], int first,
                                                     const uint8_t* chunk, Vec::I (&dot)[U]) {
  for (Vec::I& sum : dot) sum = Vec::ZeroI();
#if defined(GALEN_VEC_AVX2)
  if constexpr (D == 2 && Format::kMaxCode > 128) {
    const int16_t* words = reinterpret_cast<const int16_t*>(chunk + 32 * kOf);
    Vec::DotDigitWords<n>(bytes, first, words + 4 * first, dot);
    return;
  }
#endif
  Vec::DotBytes<Format::kMaxCode, n>(bytes, first, chunk + 4 * first, dot);
  if constexpr (D == 2) {
    Vec::I low[U];
    for (Vec::I& sum : low) sum = Vec::ZeroI();
    Vec::DotBytes<Format::kMaxCode, n>(bytes, first, chunk + 32 + 4 * first, low);
    for (int u = 0; u < U; ++u) dot[u] = Vec::AddI(Vec::Sll<7>(dot[u]), low[u]);
  }
}

// sums[m][U][16] of U adjacent units. one: there is a single row, whose sums stay in registers.
template <class Format, int D, int U, bool one>
void DigitsUnit(const tile16::Shape& shape, const uint8_t* group, const uint8_t* x, int64_t stride,
                int64_t rows, float* sums) {
  constexpr int kSubs = 32 / Format::kSub, kGroups = 8 / kSubs;
  const uint8_t* strip = group;
  const uint8_t* codes = group;
  Prefetcher prefetch(shape, group, rows);
  const int64_t info_at = shape.chunks * DigitsChunkBytes(D);
  Vec::F single[U][kHalves];
  for (auto& unit : single) {
    for (Vec::F& half : unit) half = Vec::Zero();
  }
  if constexpr (!one) std::memset(sums, 0, rows * U * 16 * sizeof(float));
  for (int64_t c = 0; c < shape.chunks; ++c, codes += shape.code_bytes) {
    if (c % tile16::kStripChunks == 0) {  // a strip begins where the one before it ends
      strip = codes;
      codes += shape.ScaleBytes(c);
    }
    prefetch.template Next<Format::kCodeBytes / 64 + 1, U>(shape);
    for (int h = 0; h < kHalves; ++h) {
      const int lane = h * Vec::kLanes;
      Vec::I bytes[U][8];
      Vec::F d[U][kSubs], offset[U][kSubs];
      for (int u = 0; u < U; ++u) {
        const typename Format::Planes planes = Format::Load(codes + u * shape.group_bytes, lane);
        Unroll<8>([&](auto g) __attribute__((always_inline)) {
          bytes[u][g] = Format::template Codes<g>(planes);
        });
        for (int sub = 0; sub < kSubs; ++sub) {
          Format::Scales(strip + u * shape.group_bytes, c % tile16::kStripChunks, sub, lane,
                         &d[u][sub], &offset[u][sub]);
        }
      }
      for (int64_t m = 0; m < (one ? 1 : rows); ++m) {
        const uint8_t* chunk = x + m * stride + c * DigitsChunkBytes(D);
        const float* info = reinterpret_cast<const float*>(x + m * stride + info_at) + 4 * c;
        float* row_sums = sums + 16 * U * m + lane;
        const Vec::F scale = Vec::Set1(info[0]);
        constexpr float kShare = Format::kCentre == 0 ? 1.0f : -1.0f / Format::kCentre;
        const Vec::F share = Vec::Mul(scale, Vec::Set1(kShare));
        Vec::F total[U];
        for (int u = 0; u < U; ++u) total[u] = one ? single[u][h] : Vec::Load(row_sums + 16 * u);
        for (int sub = 0; sub < kSubs; ++sub) {
          Vec::I top[U], low[U];
          DotDigits<Format, std::min(D, 2), D, kGroups>(bytes, sub * kGroups, chunk, top);
          if constexpr (D == 3)
            DotDigits<Format, 1, D, kGroups>(bytes, sub * kGroups, chunk + 64, low);
          const Vec::F row_sum = Vec::Set1(info[kSubs == 1 ? 3 : 1 + sub]);
          for (int u = 0; u < U; ++u) {
            Vec::F value = Vec::ToFloat(top[u]);
            if constexpr (D == 3) value = Vec::Fma(value, Vec::Set1(128.0f), Vec::ToFloat(low[u]));
            if constexpr (Format::kCentre != 0) {
              // offset is -kCentre * d, so that nothing here exceeds what is added.
              total[u] = Vec::Fma(Vec::Fma(value, share, row_sum), offset[u][sub], total[u]);
            } else {
              total[u] = Vec::Fma(value, Vec::Mul(d[u][sub], scale), total[u]);
              total[u] = Vec::Fma(offset[u][sub], row_sum, total[u]);
            }
          }
        }
        for (int u = 0; u < U; ++u) {
          if constexpr (one)
            single[u][h] = total[u];
          else
            Vec::Store(row_sums + 16 * u, total[u]);
        }
      }
    }
  }
  if constexpr (one) {
    for (int u = 0; u < U; ++u) {
      for (int h = 0; h < kHalves; ++h) Vec::Store(sums + 16 * u + h * Vec::kLanes, single[u][h]);
    }
  }
}

constexpr int64_t kDigitsRows =
    64;  // rows of x per pass over units: their digits of a few chunks stay in L1

template <class Format, int D, int U>
void DigitsPass(const WeightView& w, const tile16::Shape& shape, const LinearOperand& operand,
                int64_t unit, const LinearOutput& out) {
  const int64_t stride = DigitsBytes(shape.chunks, D);
  const uint8_t* x = static_cast<const uint8_t*>(operand.data);
  const uint8_t* group = w.data + unit * shape.group_bytes;
  alignas(64) float sums[kDigitsRows * U * 16];
  for (int64_t m = 0; m < operand.m; m += kDigitsRows) {
    const int64_t rows = std::min(kDigitsRows, operand.m - m);
    if (rows == 1)
      DigitsUnit<Format, D, U, true>(shape, group, x + m * stride, stride, 1, sums);
    else
      DigitsUnit<Format, D, U, false>(shape, group, x + m * stride, stride, rows, sums);
    for (int64_t i = 0; i < rows; ++i) {
      for (int u = 0; u < U; ++u) StoreUnit(w, out, m + i, unit + u, sums + 16 * (U * i + u));
    }
  }
}

template <class Format, int D>
void DigitsUnits(const WeightView& w, const tile16::Shape& shape, const LinearOperand& operand,
                 int64_t unit0, int64_t unit1, const LinearOutput& out) {
  int64_t unit = unit0;
  if (operand.m > 1) {
    for (; unit + kDigitsUnits <= unit1; unit += kDigitsUnits) {
      DigitsPass<Format, D, kDigitsUnits>(w, shape, operand, unit, out);
    }
  }
  for (; unit < unit1; ++unit) DigitsPass<Format, D, 1>(w, shape, operand, unit, out);
}

inline void ComputeRows(const WeightView& w, const LinearOperand& operand, int64_t unit0,
                        int64_t unit1, const LinearOutput& out) {
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  WithFormat(w.dtype, [&]<class Format>(Format) {
    if constexpr (Format::kSub != 0 && !kIsTable<Format>) {
      switch (PlanDigits(operand.plan)) {
        case 1:
          return DigitsUnits<Format, 1>(w, shape, operand, unit0, unit1, out);
        case 2:
          return DigitsUnits<Format, 2>(w, shape, operand, unit0, unit1, out);
        case 3:
          return DigitsUnits<Format, 3>(w, shape, operand, unit0, unit1, out);
        default:
          GALEN_CHECK(!"a plan for block formats");
      }
    } else {
      const float* x = static_cast<const float*>(operand.data);
      const int64_t stride = PanelStrideF32(operand.k);
      for (int64_t unit = unit0; unit < unit1; ++unit) {
        int64_t m = 0;
        for (; m + 4 <= operand.m; m += 4)
          FloatUnit<Format, 4>(w, shape, unit, x + m * stride, stride, m, out);
        if (operand.m - m == 3)
          FloatUnit<Format, 3>(w, shape, unit, x + m * stride, stride, m, out);
        if (operand.m - m == 2)
          FloatUnit<Format, 2>(w, shape, unit, x + m * stride, stride, m, out);
        if (operand.m - m == 1)
          FloatUnit<Format, 1>(w, shape, unit, x + m * stride, stride, m, out);
      }
    }
  });
}
