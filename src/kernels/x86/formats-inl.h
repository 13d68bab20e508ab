// How each block format reads its tile16 chunk. Included inside the namespace and target region of
// one instruction set, after vec-inl.h. A quantised format's value is code * d + m with an unsigned
// code. A format type has
//   kSub      columns that share a scale: 16 or 32; 0: a plain format, whose Value is the value
//   itself kMaxCode  largest code kCodeBytes  of a chunk's codes kFold     0: Value is the code;
//   else Value is 1 + code / kFold, which costs no conversion Planes: the registers of one chunk;
//   Planes Load(codes, lane)          lane: first of the Vec::kLanes rows I Codes<g>(planes)
//   columns 4g..4g+3 as the four bytes of each lane F Value<k>(planes, consts)         column k
//   void Scales(strip, chunk, sub, lane, &d, &m)      chunk: of the strip, 0..7

struct NibPlanes {
  Vec::I nib[4];
  static NibPlanes Load(const uint8_t* codes, int lane) {
    NibPlanes p;
    for (int i = 0; i < 4; ++i) p.nib[i] = Vec::LoadI(codes + 64 * i + 4 * lane);
    return p;
  }
  // Where column k's nibble begins in its dword.
  static constexpr int Bit(int k) { return 8 * (k % 4) + 4 * (k % 8 / 4); }
  // Column k in the low four bits of each lane; other columns above.
  template <int k>
  Vec::I Index() const {
    return Vec::Srl<Bit(k)>(nib[k / 8]);
  }
  // Columns 4g..4g+3 as bytes.
  template <int g>
  Vec::I Bytes() const {
    return Vec::And(Vec::Srl<4 * (g % 2)>(nib[g / 2]), Vec::Set1I(0x0F0F0F0F));
  }
};

struct Nothing {};

// Bits that begin at `from` in each lane moved to begin at `to`.
template <int from, int to>
Vec::I Move(Vec::I v) {
  if constexpr (from >= to)
    return Vec::Srl<from - to>(v);
  else
    return Vec::Sll<to - from>(v);
}
constexpr int Bit1At(int k) { return 8 * (k % 4) + k / 4; }
constexpr int Bit2At(int k) { return 8 * (k % 4) + 2 * (k % 16 / 4); }
constexpr int32_t Bytes4(int b) { return b * 0x01010101; }

// (code << (23 - bits)) | 1.0f: the code in the mantissa's top bits.
template <int bits>
Vec::F AsMantissa(Vec::I code_at_top) {
  return Vec::Cast(Vec::AndOr(code_at_top, Vec::Set1I(((1 << bits) - 1) << (23 - bits)),
                              Vec::Set1I(0x3F800000)));
}

// ---- scales

// Scales: what a sub-block's codes are multiplied with, d, and what is added to the products, m.
// kCentre: what is taken off each code, so that m = -kCentre * d; 0: m is the block's own.

// f16 d of 32 columns.
template <int centre>
struct ScaleD {
  static constexpr int kCentre = centre;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    *d = Vec::FromHalf(s + 32 * chunk + 2 * lane);
    *m = Vec::Mul(*d, Vec::Set1(-static_cast<float>(centre)));
  }
};
// f16 d, m of 32 columns.
struct ScaleDM {
  static constexpr int kCentre = 0;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    *d = Vec::FromHalf(s + 64 * chunk + 2 * lane);
    *m = Vec::FromHalf(s + 64 * chunk + 32 + 2 * lane);
  }
};
// Q4_K, Q5_K: f16 d, dmin; a byte of scale and of min for each 32 columns.
struct ScaleMins {
  static constexpr int kCentre = 0;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    *d = Vec::Mul(Vec::FromHalf(s + 2 * lane), Vec::FromU8(s + 64 + 16 * chunk + lane));
    *m = Vec::Sub(Vec::Zero(), Vec::Mul(Vec::FromHalf(s + 32 + 2 * lane),
                                        Vec::FromU8(s + 192 + 16 * chunk + lane)));
  }
};
// Q6_K, Q3_K, IQ4_XS: f16 d; a signed byte of scale for each kSub columns.
template <int sub_columns, int centre>
struct ScaleI8 {
  static constexpr int kCentre = centre;
  static void Scales(const uint8_t* s, int64_t chunk, int sub, int lane, Vec::F* d, Vec::F* m) {
    constexpr int kPerChunk = 32 / sub_columns;
    *d = Vec::Mul(Vec::FromHalf(s + 2 * lane),
                  Vec::FromI8(s + 32 + 16 * (kPerChunk * chunk + sub) + lane));
    *m = Vec::Mul(*d, Vec::Set1(-static_cast<float>(centre)));
  }
};
// Q2_K: f16 d, dmin; nibbles of scale and min for each 16 columns.
struct ScaleNibbles {
  static constexpr int kCentre = 0;
  static void Scales(const uint8_t* s, int64_t chunk, int sub, int lane, Vec::F* d, Vec::F* m) {
    const Vec::I both = Vec::WidenU8(s + 64 + 16 * (2 * chunk + sub) + lane);
    *d = Vec::Mul(Vec::FromHalf(s + 2 * lane), Vec::ToFloat(Vec::And(both, Vec::Set1I(15))));
    *m = Vec::Sub(Vec::Zero(),
                  Vec::Mul(Vec::FromHalf(s + 32 + 2 * lane), Vec::ToFloat(Vec::Srl<4>(both))));
  }
};

// fp32 d of 64 columns, shared by two chunks; no offset but the centre of the codes.
template <int centre>
struct ScaleF32 {
  static constexpr int kCentre = centre;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    *d = Vec::Load(reinterpret_cast<const float*>(s + 64 * (chunk / 2)) + lane);
    *m = Vec::Mul(*d, Vec::Set1(-static_cast<float>(centre)));
  }
};

// ---- codes

struct NibbleCodes {
  static constexpr int kMaxCode = 15;
  static constexpr int64_t kCodeBytes = tile16::kNibBytes;
  static constexpr int kFold = 0;
  using Planes = NibPlanes;
#if defined(GALEN_VEC_AVX2)
  using Consts = Nothing;  // conversion is cheaper than a lookup in 16 entries
#else
  struct Consts {
    Vec::Table16 table;
    Consts() {
      alignas(64) float values[16];
      for (int i = 0; i < 16; ++i) values[i] = static_cast<float>(i);
      table = Vec::MakeTable16(values);
    }
  };
#endif
  static Planes Load(const uint8_t* codes, int lane) { return Planes::Load(codes, lane); }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    return p.Bytes<g>();
  }
  template <int k>
  static Vec::F Value(const Planes& p, [[maybe_unused]] const Consts& c) {
#if defined(GALEN_VEC_AVX2)
    return Vec::ToFloat(Vec::And(p.Index<k>(), Vec::Set1I(15)));
#else
    return Vec::Lookup(c.table, p.Index<k>());
#endif
  }
};

// IQ4: a nibble chooses one of 16 uneven values; the code is that value + 128.
struct IQ4Codes {
  static constexpr int kMaxCode = 241;
  static constexpr int64_t kCodeBytes = tile16::kNibBytes;
  static constexpr int kFold = 0;
  using Planes = NibPlanes;
  struct Consts {
    Vec::Table16 table;
    Consts() {
      alignas(64) float values[16];
      for (int i = 0; i < 16; ++i) values[i] = static_cast<float>(kIQ4Values[i] + 128);
      table = Vec::MakeTable16(values);
    }
  };
  static Planes Load(const uint8_t* codes, int lane) { return Planes::Load(codes, lane); }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    // Flipping the sign bit adds 128.
    return Vec::Xor(Vec::Shuffle(kIQ4Values, p.Bytes<g>()),
                    Vec::Set1I(static_cast<int32_t>(0x80808080)));
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts& c) {
    return Vec::Lookup(c.table, p.Index<k>());
  }
};

// A nibble chooses one of 16 floats: the value is the table's, times d, without an integer code.
// LinearPlan::kWords multiplies the nearest integers to kSteps times the table's values.
struct TableCodes {
  static constexpr int kMostSteps = 15684;
  static constexpr int64_t kCodeBytes = tile16::kNibBytes;
  static constexpr int kFold = 0;
  using Planes = NibPlanes;
  static Planes Load(const uint8_t* codes, int lane) { return Planes::Load(codes, lane); }
  template <int k, class Consts>
  static Vec::F Value(const Planes& p, const Consts& c) {
    return Vec::Lookup(c.table, p.Index<k>());
  }
};

// A nibble and a bit.
struct FiveBitCodes {
  static constexpr int kMaxCode = 31;
  static constexpr int64_t kCodeBytes = tile16::kNibBytes + tile16::kBit1Bytes;
  static constexpr int kFold = 32;
  using Consts = Nothing;
  struct Planes {
    NibPlanes low;
    Vec::I bits;
  };
  static Planes Load(const uint8_t* codes, int lane) {
    return {NibPlanes::Load(codes, lane), Vec::LoadI(codes + tile16::kNibBytes + 4 * lane)};
  }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    return Vec::AndOr(Move<g, 4>(p.bits), Vec::Set1I(Bytes4(0x10)), p.low.Bytes<g>());
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = Move<NibPlanes::Bit(k), 18>(p.low.nib[k / 8]);
    return AsMantissa<5>(Vec::Select(Vec::Set1I(15 << 18), low, Move<Bit1At(k), 22>(p.bits)));
  }
};

// A nibble and two bits.
struct SixBitCodes {
  static constexpr int kMaxCode = 63;
  static constexpr int64_t kCodeBytes = tile16::kNibBytes + tile16::kBit2Bytes;
  static constexpr int kFold = 64;
  using Consts = Nothing;
  struct Planes {
    NibPlanes low;
    Vec::I bits[2];
  };
  static Planes Load(const uint8_t* codes, int lane) {
    const uint8_t* high = codes + tile16::kNibBytes + 4 * lane;
    return {NibPlanes::Load(codes, lane), {Vec::LoadI(high), Vec::LoadI(high + 64)}};
  }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    return Vec::AndOr(Move<2 * (g % 4), 4>(p.bits[g / 4]), Vec::Set1I(Bytes4(0x30)),
                      p.low.Bytes<g>());
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = Move<NibPlanes::Bit(k), 17>(p.low.nib[k / 8]);
    return AsMantissa<6>(
        Vec::Select(Vec::Set1I(15 << 17), low, Move<Bit2At(k), 21>(p.bits[k / 16])));
  }
};

// Two bits and one above them.
struct ThreeBitCodes {
  static constexpr int kMaxCode = 7;
  static constexpr int64_t kCodeBytes = tile16::kBit2Bytes + tile16::kBit1Bytes;
  static constexpr int kFold = 8;
  using Consts = Nothing;
  struct Planes {
    Vec::I low[2];
    Vec::I bits;
  };
  static Planes Load(const uint8_t* codes, int lane) {
    return {{Vec::LoadI(codes + 4 * lane), Vec::LoadI(codes + 64 + 4 * lane)},
            Vec::LoadI(codes + tile16::kBit2Bytes + 4 * lane)};
  }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    const Vec::I low = Vec::And(Vec::Srl<2 * (g % 4)>(p.low[g / 4]), Vec::Set1I(Bytes4(3)));
    return Vec::AndOr(Move<g, 2>(p.bits), Vec::Set1I(Bytes4(4)), low);
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = Move<Bit2At(k), 20>(p.low[k / 16]);
    return AsMantissa<3>(Vec::Select(Vec::Set1I(3 << 20), low, Move<Bit1At(k), 22>(p.bits)));
  }
};

struct TwoBitCodes {
  static constexpr int kMaxCode = 3;
  static constexpr int64_t kCodeBytes = tile16::kBit2Bytes;
  static constexpr int kFold = 4;
  using Consts = Nothing;
  struct Planes {
    Vec::I low[2];
  };
  static Planes Load(const uint8_t* codes, int lane) {
    return {{Vec::LoadI(codes + 4 * lane), Vec::LoadI(codes + 64 + 4 * lane)}};
  }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    return Vec::And(Vec::Srl<2 * (g % 4)>(p.low[g / 4]), Vec::Set1I(Bytes4(3)));
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return AsMantissa<2>(Move<Bit2At(k), 21>(p.low[k / 16]));
  }
};

// Read from memory as needed: planes are the address.
struct MemoryPlanes {
  const uint8_t* codes;
  int lane;
};

// A byte, 128 added.
struct ByteCodes {
  static constexpr int kMaxCode = 255;
  static constexpr int64_t kCodeBytes = tile16::kByteBytes;
  static constexpr int kFold = 256;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
  template <int g>
  static Vec::I Codes(const Planes& p) {
    return Vec::LoadI(p.codes + 64 * g + 4 * p.lane);
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return AsMantissa<8>(Move<8 * (k % 4), 15>(Codes<k / 4>(p)));
  }
};

// ---- the formats

struct FormatQ4_0 : NibbleCodes, ScaleD<8> {
  static constexpr int kSub = 32;
};
struct FormatQ4_1 : NibbleCodes, ScaleDM {
  static constexpr int kSub = 32;
};
struct FormatQ4_K : NibbleCodes, ScaleMins {
  static constexpr int kSub = 32;
};
struct FormatIQ4_NL : IQ4Codes, ScaleD<128> {
  static constexpr int kSub = 32;
};
struct FormatIQ4_XS : IQ4Codes, ScaleI8<32, 128> {
  static constexpr int kSub = 32;
};
struct FormatQ5_0 : FiveBitCodes, ScaleD<16> {
  static constexpr int kSub = 32;
};
struct FormatQ5_1 : FiveBitCodes, ScaleDM {
  static constexpr int kSub = 32;
};
struct FormatQ5_K : FiveBitCodes, ScaleMins {
  static constexpr int kSub = 32;
};
struct FormatQ6_K : SixBitCodes, ScaleI8<16, 32> {
  static constexpr int kSub = 16;
};
struct FormatQ3_K : ThreeBitCodes, ScaleI8<16, 4> {
  static constexpr int kSub = 16;
};
struct FormatQ2_K : TwoBitCodes, ScaleNibbles {
  static constexpr int kSub = 16;
};
struct FormatQ8_0 : ByteCodes, ScaleD<128> {
  static constexpr int kSub = 32;
};

constexpr std::array<int16_t, 16> TableWords(const float (&values)[16], int steps) {
  std::array<int16_t, 16> words{};
  for (int i = 0; i < 16; ++i) {
    words[i] = static_cast<int16_t>(values[i] * steps + (values[i] < 0 ? -0.5f : 0.5f));
  }
  return words;
}

struct FormatNF4 : TableCodes, ScaleF32<0> {
  static constexpr int kSub = 32;
  // Of all up to 2^14, this makes integers lie nearest: off by 2^-17 of the largest value (root
  // mean square), 2^-16 at most.
  static constexpr int kSteps = 15684;
  static constexpr std::array<int16_t, 16> kWords = TableWords(kNf4Values, kSteps);
  struct Consts {
    Vec::Table16 table = Vec::MakeTable16(kNf4Values);
  };
};
struct FormatFP4 : TableCodes, ScaleF32<0> {
  static constexpr int kSub = 32;
  // The values are multiples of 1/192.
  static constexpr int kSteps = 81 * 192;
  static constexpr std::array<int16_t, 16> kWords = TableWords(kFp4Values, kSteps);
  struct Consts {
    Vec::Table16 table = Vec::MakeTable16(kFp4Values);
  };
};
struct FormatINT8 : ByteCodes {
  static constexpr int kSub = 32;
  static constexpr int kCentre = 128;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Vec::F scb, unused;
    ScaleF32<0>::Scales(s, chunk, 0, lane, &scb, &unused);
    *d = Vec::Mul(scb, Vec::Set1(kBnbInt8Step));
    *m = Vec::Mul(*d, Vec::Set1(-128.0f));
  }
};

// Formats whose values are no integer codes: they take kWords instead of kDigits.
template <class Format>
inline constexpr bool kIsTable = std::is_base_of_v<TableCodes, Format>;

struct PlainFormat {
  static constexpr int kSub = 0;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
};
struct FormatBF16 : PlainFormat {
  static constexpr int64_t kCodeBytes = tile16::kWord2Bytes;
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I pair = Vec::LoadI(p.codes + 64 * (k / 2) + 4 * p.lane);
    if constexpr (k % 2 == 0)
      return Vec::Cast(Vec::Sll<16>(pair));
    else
      return Vec::Cast(Vec::And(pair, Vec::Set1I(static_cast<int32_t>(0xFFFF0000))));
  }
};
struct FormatF16 : PlainFormat {
  static constexpr int64_t kCodeBytes = tile16::kWord2Bytes;
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I pair = Vec::LoadI(p.codes + 64 * (k / 2) + 4 * p.lane);
    if constexpr (k % 2 == 0)
      return Vec::HalfLow(pair);
    else
      return Vec::HalfHigh(pair);
  }
};
struct FormatF32 : PlainFormat {
  static constexpr int64_t kCodeBytes = tile16::kFloatBytes;
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return Vec::Load(reinterpret_cast<const float*>(p.codes + 64 * k + 4 * p.lane));
  }
};

// Calls fn with the format type of dtype as a value.
template <class Fn>
void WithFormat(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF32:
      return fn(FormatF32{});
    case DType::kF16:
      return fn(FormatF16{});
    case DType::kBF16:
      return fn(FormatBF16{});
    case DType::kQ4_0:
      return fn(FormatQ4_0{});
    case DType::kQ4_1:
      return fn(FormatQ4_1{});
    case DType::kQ5_0:
      return fn(FormatQ5_0{});
    case DType::kQ5_1:
      return fn(FormatQ5_1{});
    case DType::kQ8_0:
      return fn(FormatQ8_0{});
    case DType::kQ2_K:
      return fn(FormatQ2_K{});
    case DType::kQ3_K:
      return fn(FormatQ3_K{});
    case DType::kQ4_K:
      return fn(FormatQ4_K{});
    case DType::kQ5_K:
      return fn(FormatQ5_K{});
    case DType::kQ6_K:
      return fn(FormatQ6_K{});
    case DType::kIQ4_NL:
      return fn(FormatIQ4_NL{});
    case DType::kIQ4_XS:
      return fn(FormatIQ4_XS{});
    case DType::kNF4:
      return fn(FormatNF4{});
    case DType::kFP4:
      return fn(FormatFP4{});
    case DType::kINT8:
      return fn(FormatINT8{});
    default:
      GALEN_CHECK(!"a weight format");
  }
}

// Calls fn(integral_constant<int, 0>) ... fn(integral_constant<int, n - 1>).
template <int n, class Fn>
__attribute__((always_inline)) inline void Unroll(Fn&& fn) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (fn(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, n>{});
}
