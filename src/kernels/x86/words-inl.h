// Few rows times tables of 16 floats (NF4, FP4): LinearPlan::kWords. Included inside the namespace
// and target region of one instruction set, after linear-inl.h. The values of a table are integers
// of 16 bits here (TableCodes), chosen by a nibble in the form that pairs of products take.

// Operand row: for each chunk 32 integers of 16 bits, in the order of Vec::StoreWords; then a scale
// for each chunk, divided by 2^14 (about kSteps of a table) so that sums overflow no sooner than
// the product.
inline int64_t WordsBytes(int64_t chunks) { return (chunks * (64 + 4) + 63) / 64 * 64; }

// The magnitudes of a half's 16 integers add up to this at most but for their rounding, 8: their
// sum of products with a table fits an int32.
constexpr float kWordsSum = 136'800.0f;
constexpr float kWordsUnit = 0x1p14f;
static_assert((kWordsSum + 9) * TableCodes::kMostSteps < 0x1p31);

inline void PrepareWords(const float* x, int64_t k, uint8_t* row) {
  const int64_t chunks = PadCols(k) / 32;
  float* scales = reinterpret_cast<float*>(row + chunks * 64);
  int16_t* words = reinterpret_cast<int16_t*>(row);
  for (int64_t c = 0; c < chunks; ++c, words += 32) {
    const XChunk chunk(x, c, k);
    float step = 0;
    for (int half = 0; half < 2; ++half) {
      Vec::F sum = Vec::Zero();
      for (int i = 0; i < kHalves; ++i) {  // no sum of finite values overflows
        const Vec::F share = Vec::Mul(chunk.v[half * kHalves + i], Vec::Set1(1.0f / kWordsSum));
        sum = Vec::AddAbs(sum, share);
      }
      step = std::max(step, Vec::ReduceAddF(sum));
    }
    step = std::max(step, chunk.largest / 32767.0f);
    // As in PrepareDigits; the scale is smaller here.
    const bool tiny = chunk.largest < 1e-28f;
    const float inverse = tiny ? 0.0f : 1.0f / step;
    for (int i = 0; i < XChunk::kVectors; ++i) {
      const Vec::I q =
          chunk.finite ? Vec::Round(Vec::Mul(chunk.v[i], Vec::Set1(inverse))) : Vec::ZeroI();
      Vec::StoreWords(words + i * Vec::kLanes, q);
    }
    scales[c] = !chunk.finite ? std::numeric_limits<float>::quiet_NaN()
                : tiny        ? 0.0f
                              : step / kWordsUnit;
  }
}

// sums[m][16]. one: there is a single row, whose sums stay in registers.
template <class Format, bool one>
void WordsUnit(const tile16::Shape& shape, const uint8_t* group, const uint8_t* x, int64_t stride,
               int64_t rows, float* sums) {
  static_assert(Format::kSteps <= TableCodes::kMostSteps);
  const Vec::WordTable table = Vec::MakeWordTable(Format::kWords.data());
  const uint8_t* strip = group;
  const uint8_t* codes = group;
  Prefetcher prefetch(shape, group, rows);
  Vec::F single[kHalves];
  for (Vec::F& half : single) half = Vec::Zero();
  if constexpr (!one) std::memset(sums, 0, rows * 16 * sizeof(float));
  for (int64_t c = 0; c < shape.chunks; ++c, codes += shape.code_bytes) {
    if (c % tile16::kStripChunks == 0) {  // a strip begins where the one before it ends
      strip = codes;
      codes += shape.ScaleBytes(c);
    }
    prefetch.template Next<Format::kCodeBytes / 64 + 1>(shape);
    for (int h = 0; h < kHalves; ++h) {
      const int lane = h * Vec::kLanes;
      const typename Format::Planes planes = Format::Load(codes, lane);
      Vec::I words[4][4];
      for (int i = 0; i < 4; ++i) Vec::LookupWords(table, planes.nib[i], words[i]);
      Vec::F d, unused;
      Format::Scales(strip, c % tile16::kStripChunks, 0, lane, &d, &unused);
      for (int64_t m = 0; m < (one ? 1 : rows); ++m) {
        const uint8_t* row = x + m * stride;
        const int16_t* columns = reinterpret_cast<const int16_t*>(row) + 32 * c;
        const Vec::F scale = Vec::Set1(reinterpret_cast<const float*>(row + shape.chunks * 64)[c]);
        const Vec::F dot = Vec::Add(Vec::ToFloat(Vec::DotWords(words, columns)),
                                    Vec::ToFloat(Vec::DotWords(words + 2, columns + 16)));
        float* sum = sums + 16 * m + lane;
        Vec::F total = one ? single[h] : Vec::Load(sum);
        total = Vec::Fma(dot, Vec::Mul(d, scale), total);
        if constexpr (one)
          single[h] = total;
        else
          Vec::Store(sum, total);
      }
    }
  }
  const Vec::F unit = Vec::Set1(kWordsUnit / Format::kSteps);
  for (int64_t m = 0; m < (one ? 1 : rows); ++m) {
    for (int h = 0; h < kHalves; ++h) {
      float* sum = sums + 16 * m + h * Vec::kLanes;
      Vec::Store(sum, Vec::Mul(one ? single[h] : Vec::Load(sum), unit));
    }
  }
}

inline void ComputeWords(const WeightView& w, const LinearOperand& operand, int64_t unit0,
                         int64_t unit1, const LinearOutput& out) {
  const tile16::Shape shape = tile16::ShapeOf(w.dtype, w.rows, w.cols);
  const int64_t stride = WordsBytes(shape.chunks);
  const uint8_t* x = static_cast<const uint8_t*>(operand.data);
  alignas(64) float sums[kDigitsRows * 16];
  WithFormat(w.dtype, [&]<class Format>(Format) {
    if constexpr (kIsTable<Format>) {
      for (int64_t unit = unit0; unit < unit1; ++unit) {
        const uint8_t* group = w.data + unit * shape.group_bytes;
        for (int64_t m = 0; m < operand.m; m += kDigitsRows) {
          const int64_t rows = std::min(kDigitsRows, operand.m - m);
          if (rows == 1)
            WordsUnit<Format, true>(shape, group, x + m * stride, stride, 1, sums);
          else
            WordsUnit<Format, false>(shape, group, x + m * stride, stride, rows, sums);
          for (int64_t i = 0; i < rows; ++i) StoreUnit(w, out, m + i, unit, sums + 16 * i);
        }
      }
    } else {
      GALEN_CHECK(!"a plan for tables");
    }
  });
}
