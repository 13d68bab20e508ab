// How each block format reads its tile16 chunk. Included inside the namespace and target region of one instruction set,
// after vec-inl.h. A format type has
//   kDType, kSub (columns that share a scale: 16 or 32), kOffset (has an additive part)
//   Planes: the registers of one chunk; Planes Load(codes, lane)          lane: first of the Vec::kLanes rows
//   F Value<k>(planes, consts): column k's code as a float, not yet scaled
//   void Scales(scales, chunk, sub, lane, &d, &m): value = code * d (+ m if kOffset)
// Codes that need no table are not centred in Value: kOffset folds the centre into m.

struct NibPlanes {
  Vec::I nib[4];
  static NibPlanes Load(const uint8_t* codes, int lane) {
    NibPlanes p;
    for (int i = 0; i < 4; ++i) p.nib[i] = Vec::LoadI(codes + 64 * i + 4 * lane);
    return p;
  }
  // Column k in the low four bits of each lane; other columns above.
  template <int k>
  Vec::I Index() const {
    return Vec::Srl<(k % 8 / 2) * 4 + (k % 2) * 16>(nib[k / 8]);
  }
};

struct Nothing {};

// 4-bit codes through a table of 16 values.
template <DType dtype>
struct TableConsts {
  Vec::Table16 table;
  TableConsts() {
    alignas(64) float values[16];
    for (int i = 0; i < 16; ++i) {
      if constexpr (dtype == DType::kIQ4_NL || dtype == DType::kIQ4_XS) values[i] = kIQ4Values[i];
      else if constexpr (dtype == DType::kQ4_0) values[i] = static_cast<float>(i - 8);
      else values[i] = static_cast<float>(i);
    }
    table = Vec::MakeTable16(values);
  }
};

template <DType dtype>
struct NibbleFormat {
  using Planes = NibPlanes;
#if defined(GALEN_VEC_AVX2)
  // Without a 16-entry lookup, plain codes are cheaper by conversion; only IQ4's uneven values need the table.
  static constexpr bool kTable = dtype == DType::kIQ4_NL || dtype == DType::kIQ4_XS;
#else
  static constexpr bool kTable = true;
#endif
  using Consts = std::conditional_t<kTable, TableConsts<dtype>, Nothing>;
  static Planes Load(const uint8_t* codes, int lane) { return Planes::Load(codes, lane); }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts& c) {
    if constexpr (kTable) return Vec::Lookup(c.table, p.Index<k>());
    else return Vec::ToFloat(Vec::And(p.Index<k>(), Vec::Set1I(15)));
  }
};

// d (and m) of 32-column formats. `centre` is subtracted from codes by way of m.
template <bool has_m>
struct Block32Scales {
  static void Get(const uint8_t* scales, int64_t chunk, int lane, float centre, Vec::F* d, Vec::F* m) {
    const uint8_t* unit = scales + chunk * (has_m ? 64 : 32);
    *d = Vec::FromHalf(unit + 2 * lane);
    if constexpr (has_m) *m = Vec::FromHalf(unit + 32 + 2 * lane);
    else *m = Vec::Mul(*d, Vec::Set1(-centre));
  }
};

struct FormatQ4_0 : NibbleFormat<DType::kQ4_0> {
  static constexpr DType kDType = DType::kQ4_0;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = !kTable;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Block32Scales<false>::Get(s, chunk, lane, 8.0f, d, m);
  }
};
struct FormatIQ4_NL : NibbleFormat<DType::kIQ4_NL> {
  static constexpr DType kDType = DType::kIQ4_NL;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = false;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Block32Scales<false>::Get(s, chunk, lane, 0.0f, d, m);
  }
};
struct FormatQ4_1 : NibbleFormat<DType::kQ4_1> {
  static constexpr DType kDType = DType::kQ4_1;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Block32Scales<true>::Get(s, chunk, lane, 0.0f, d, m);
  }
};

// Scales of Q4_K and Q5_K: f16 d, dmin; 8-bit scale and min of each 32 columns.
struct ScaleMins {
  static void Get(const uint8_t* scales, int64_t chunk, int lane, Vec::F* d, Vec::F* m) {
    const uint8_t* unit = scales + chunk / 8 * 320;
    const int64_t g = chunk % 8;
    *d = Vec::Mul(Vec::FromHalf(unit + 2 * lane), Vec::FromU8(unit + 64 + 16 * g + lane));
    *m = Vec::Sub(Vec::Zero(), Vec::Mul(Vec::FromHalf(unit + 32 + 2 * lane), Vec::FromU8(unit + 192 + 16 * g + lane)));
  }
};

struct FormatQ4_K : NibbleFormat<DType::kQ4_K> {
  static constexpr DType kDType = DType::kQ4_K;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    ScaleMins::Get(s, chunk, lane, d, m);
  }
};
struct FormatIQ4_XS : NibbleFormat<DType::kIQ4_XS> {
  static constexpr DType kDType = DType::kIQ4_XS;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = false;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F*) {
    const uint8_t* unit = s + chunk / 8 * 160;
    *d = Vec::Mul(Vec::FromHalf(unit + 2 * lane), Vec::FromI8(unit + 32 + 16 * (chunk % 8) + lane));
  }
};

// 5-bit codes: a nibble and a bit. As 1 + code / 32 in the mantissa's top bits: two logic operations and no conversion.
struct FiveBitFormat {
  struct Planes {
    NibPlanes low;
    Vec::I bits;
  };
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) {
    return {NibPlanes::Load(codes, lane), Vec::LoadI(codes + tile16::kNibBytes + 4 * lane)};
  }
  template <int from, int to>
  static Vec::I Move(Vec::I v) {
    if constexpr (from >= to) return Vec::Srl<from - to>(v);
    else return Vec::Sll<to - from>(v);
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = Move<(k % 8 / 2) * 4 + (k % 2) * 16, 18>(p.low.nib[k / 8]);
    const Vec::I high = Move<k, 22>(p.bits);
    const Vec::I code = Vec::Select(Vec::Set1I(0xF << 18), low, high);
    return Vec::Cast(Vec::AndOr(code, Vec::Set1I(0x1F << 18), Vec::Set1I(0x3F800000)));
  }
  // value = 1 + code / 32, so code * d + m = value * 32 d + (m - 32 d).
  static void Fold(Vec::F* d, Vec::F* m) {
    *d = Vec::Mul(*d, Vec::Set1(32.0f));
    *m = Vec::Sub(*m, *d);
  }
};
struct FormatQ5_0 : FiveBitFormat {
  static constexpr DType kDType = DType::kQ5_0;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Block32Scales<false>::Get(s, chunk, lane, 16.0f, d, m);
    Fold(d, m);
  }
};
struct FormatQ5_1 : FiveBitFormat {
  static constexpr DType kDType = DType::kQ5_1;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    Block32Scales<true>::Get(s, chunk, lane, 0.0f, d, m);
    Fold(d, m);
  }
};
struct FormatQ5_K : FiveBitFormat {
  static constexpr DType kDType = DType::kQ5_K;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F* m) {
    ScaleMins::Get(s, chunk, lane, d, m);
    Fold(d, m);
  }
};

// 6-bit codes: a nibble and two bits, as 1 + code / 64.
struct FormatQ6_K {
  static constexpr DType kDType = DType::kQ6_K;
  static constexpr int kSub = 16;
  static constexpr bool kOffset = true;
  struct Planes {
    NibPlanes low;
    Vec::I bits[2];
  };
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) {
    const uint8_t* high = codes + tile16::kNibBytes + 4 * lane;
    return {NibPlanes::Load(codes, lane), {Vec::LoadI(high), Vec::LoadI(high + 64)}};
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = FiveBitFormat::Move<(k % 8 / 2) * 4 + (k % 2) * 16, 17>(p.low.nib[k / 8]);
    const Vec::I high = FiveBitFormat::Move<2 * (k % 16), 21>(p.bits[k / 16]);
    const Vec::I code = Vec::Select(Vec::Set1I(0xF << 17), low, high);
    return Vec::Cast(Vec::AndOr(code, Vec::Set1I(0x3F << 17), Vec::Set1I(0x3F800000)));
  }
  static void Scales(const uint8_t* s, int64_t chunk, int sub, int lane, Vec::F* d, Vec::F* m) {
    const uint8_t* unit = s + chunk / 8 * 288;
    const Vec::F scale = Vec::FromI8(unit + 32 + 16 * (2 * (chunk % 8) + sub) + lane);
    *d = Vec::Mul(Vec::Mul(Vec::FromHalf(unit + 2 * lane), scale), Vec::Set1(64.0f));
    *m = Vec::Mul(*d, Vec::Set1(-1.5f));  // (code - 32) d = value 64 d - 64 d - 32 d
  }
};

// 3-bit codes: two bits and a bit, minus 4.
struct FormatQ3_K {
  static constexpr DType kDType = DType::kQ3_K;
  static constexpr int kSub = 16;
  static constexpr bool kOffset = true;
  struct Planes {
    Vec::I low[2];
    Vec::I bits;
  };
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) {
    return {{Vec::LoadI(codes + 4 * lane), Vec::LoadI(codes + 64 + 4 * lane)},
            Vec::LoadI(codes + tile16::kBit2Bytes + 4 * lane)};
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I low = FiveBitFormat::Move<2 * (k % 16), 20>(p.low[k / 16]);
    const Vec::I high = FiveBitFormat::Move<k, 22>(p.bits);
    const Vec::I code = Vec::Select(Vec::Set1I(3 << 20), low, high);
    return Vec::Cast(Vec::AndOr(code, Vec::Set1I(7 << 20), Vec::Set1I(0x3F800000)));  // 1 + code / 8
  }
  static void Scales(const uint8_t* s, int64_t chunk, int sub, int lane, Vec::F* d, Vec::F* m) {
    const uint8_t* unit = s + chunk / 8 * 288;
    const Vec::F scale = Vec::FromI8(unit + 32 + 16 * (2 * (chunk % 8) + sub) + lane);
    *d = Vec::Mul(Vec::Mul(Vec::FromHalf(unit + 2 * lane), scale), Vec::Set1(8.0f));
    *m = Vec::Mul(*d, Vec::Set1(-1.5f));
  }
};

// 2-bit codes; scale and min are nibbles.
struct FormatQ2_K {
  static constexpr DType kDType = DType::kQ2_K;
  static constexpr int kSub = 16;
  static constexpr bool kOffset = true;
  struct Planes {
    Vec::I low[2];
  };
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) {
    return {{Vec::LoadI(codes + 4 * lane), Vec::LoadI(codes + 64 + 4 * lane)}};
  }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return Vec::ToFloat(Vec::And(Vec::Srl<2 * (k % 16)>(p.low[k / 16]), Vec::Set1I(3)));
  }
  static void Scales(const uint8_t* s, int64_t chunk, int sub, int lane, Vec::F* d, Vec::F* m) {
    const uint8_t* unit = s + chunk / 8 * 320;
    const Vec::I both = Vec::WidenU8(unit + 64 + 16 * (2 * (chunk % 8) + sub) + lane);
    *d = Vec::Mul(Vec::FromHalf(unit + 2 * lane), Vec::ToFloat(Vec::And(both, Vec::Set1I(15))));
    *m = Vec::Sub(Vec::Zero(), Vec::Mul(Vec::FromHalf(unit + 32 + 2 * lane), Vec::ToFloat(Vec::Srl<4>(both))));
  }
};

// Formats that are read column by column from memory: planes are just the address.
struct MemoryPlanes {
  const uint8_t* codes;
  int lane;
};

struct FormatQ8_0 {
  static constexpr DType kDType = DType::kQ8_0;
  static constexpr int kSub = 32;
  static constexpr bool kOffset = false;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return Vec::FromI8(p.codes + 16 * k + p.lane);
  }
  static void Scales(const uint8_t* s, int64_t chunk, int, int lane, Vec::F* d, Vec::F*) {
    *d = Vec::FromHalf(s + 32 * chunk + 2 * lane);
  }
};

// Plain types have no scale: d = 1 costs one multiplication per 32 columns.
struct PlainScales {
  static constexpr int kSub = 32;
  static constexpr bool kOffset = false;
  static void Scales(const uint8_t*, int64_t, int, int, Vec::F* d, Vec::F*) { *d = Vec::Set1(1.0f); }
};
struct FormatBF16 : PlainScales {
  static constexpr DType kDType = DType::kBF16;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I pair = Vec::LoadI(p.codes + 64 * (k / 2) + 4 * p.lane);
    if constexpr (k % 2 == 0) return Vec::Cast(Vec::Sll<16>(pair));
    else return Vec::Cast(Vec::And(pair, Vec::Set1I(static_cast<int32_t>(0xFFFF0000))));
  }
};
struct FormatF16 : PlainScales {
  static constexpr DType kDType = DType::kF16;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    const Vec::I pair = Vec::LoadI(p.codes + 64 * (k / 2) + 4 * p.lane);
    if constexpr (k % 2 == 0) return Vec::HalfLow(pair);
    else return Vec::HalfHigh(pair);
  }
};
struct FormatF32 : PlainScales {
  static constexpr DType kDType = DType::kF32;
  using Planes = MemoryPlanes;
  using Consts = Nothing;
  static Planes Load(const uint8_t* codes, int lane) { return {codes, lane}; }
  template <int k>
  static Vec::F Value(const Planes& p, const Consts&) {
    return Vec::Load(reinterpret_cast<const float*>(p.codes + 64 * k + 4 * p.lane));
  }
};

// Calls fn with the format type of dtype as a value.
template <class Fn>
void WithFormat(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF32: return fn(FormatF32{});
    case DType::kF16: return fn(FormatF16{});
    case DType::kBF16: return fn(FormatBF16{});
    case DType::kQ4_0: return fn(FormatQ4_0{});
    case DType::kQ4_1: return fn(FormatQ4_1{});
    case DType::kQ5_0: return fn(FormatQ5_0{});
    case DType::kQ5_1: return fn(FormatQ5_1{});
    case DType::kQ8_0: return fn(FormatQ8_0{});
    case DType::kQ2_K: return fn(FormatQ2_K{});
    case DType::kQ3_K: return fn(FormatQ3_K{});
    case DType::kQ4_K: return fn(FormatQ4_K{});
    case DType::kQ5_K: return fn(FormatQ5_K{});
    case DType::kQ6_K: return fn(FormatQ6_K{});
    case DType::kIQ4_NL: return fn(FormatIQ4_NL{});
    case DType::kIQ4_XS: return fn(FormatIQ4_XS{});
    default: GALEN_CHECK(!"a weight format");
  }
}

// Calls fn(integral_constant<int, 0>) ... fn(integral_constant<int, n - 1>).
template <int n, class Fn>
__attribute__((always_inline)) inline void Unroll(Fn&& fn) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (fn(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, n>{});
}
