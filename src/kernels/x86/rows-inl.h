// The row kernels over a vector type V of kLanes floats and the few operations that the including
// file gives it. Included once per instruction set, inside its target region and an anonymous
// namespace: no #include here. The order of every sum depends on the length of the row alone.

// A whole vector, or the last n < kLanes values of a row.
struct Whole {
  V Get(const float* p) const { return Load(p); }
  void Put(float* p, V v) const { Store(p, v); }
};
struct Rest {
  int64_t n;
  V Get(const float* p) const { return LoadFirst(p, n); }
  void Put(float* p, V v) const { StoreFirst(p, v, n); }
};

// Calls op(part, i) for the vectors that start at i = 0, kLanes, 2 kLanes...
template <typename Op>
inline void ForEachVector(int64_t n, Op&& op) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) op(Whole(), i);
  if (i < n) op(Rest{n - i}, i);
}

// Sum over n values of op(part, i), a vector each; lanes past the end must give 0. Four
// accumulators.
template <typename Op>
inline float SumVectors(int64_t n, Op&& op) {
  V a = Zero(), b = Zero(), c = Zero(), d = Zero();
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a = op(Whole(), i, a);
    b = op(Whole(), i + kLanes, b);
    c = op(Whole(), i + 2 * kLanes, c);
    d = op(Whole(), i + 3 * kLanes, d);
  }
  for (; i + kLanes <= n; i += kLanes) a = op(Whole(), i, a);
  if (i < n) b = op(Rest{n - i}, i, b);
  return Sum((a + b) + (c + d));
}

// e^x, within 1 ulp of the exact value where that is a normal number; smaller results are 0, larger
// ones infinite. x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r), q fitted for least
// relative error (3.1e-9, far below half an ulp) by reweighted least squares on Chebyshev nodes,
// each coefficient rounded before the next was fitted.
inline V Exp(V x) {
  const V lowest = Set(-87.33654f);  // ln of the smallest normal number
  const V bounded = MaxOrSecond(lowest, MinOrSecond(Set(89.0f), x));
  const V n = RoundToInteger(bounded * Set(0x1.715476p+0f));
  V r = NegMulAdd(n, Set(0x1.62e430p-1f), bounded);
  r = NegMulAdd(n, Set(-0x1.05c610p-29f), r);
  V q = MulAdd(Set(0x1.6a4d14p-10f), r, Set(0x1.12398ap-7f));
  q = MulAdd(q, r, Set(0x1.5558b0p-5f));
  q = MulAdd(q, r, Set(0x1.555492p-3f));
  q = MulAdd(q, r, Set(0x1.fffffcp-2f));
  return ZeroBelow(ScaleByPower(MulAdd(r * r, q, r) + Set(1.0f), n), x, lowest);
}

inline V Sigmoid(V z) { return Set(1.0f) / (Set(1.0f) + Exp(Zero() - z)); }

// ---- norms

inline float InverseRms(const float* x, float eps, int64_t cols) {
  const float sum = SumVectors(cols, [x](auto part, int64_t i, V acc) {
    const V v = part.Get(x + i);
    return MulAdd(v, v, acc);
  });
  return 1.0f / std::sqrt(sum / static_cast<float>(cols) + eps);
}

void RmsNorm(const float* x, const float* w, float eps, int64_t rows, int64_t cols, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const V inverse = Set(InverseRms(x, eps, cols));
    ForEachVector(cols, [=](auto part, int64_t i) {
      part.Put(y + i, part.Get(x + i) * inverse * part.Get(w + i));
    });
  }
}

void RmsNormBackward(const float* x, const float* w, float eps, const float* dy, int64_t rows,
                     int64_t cols, float* dx, float* dw) {
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const float inverse = InverseRms(x, eps, cols);
    const float dot = SumVectors(cols, [=](auto part, int64_t i, V acc) {
      return MulAdd(part.Get(w + i) * part.Get(dy + i), part.Get(x + i), acc);
    });
    const V c = Set(dot * inverse * inverse / static_cast<float>(cols));
    const V s = Set(inverse);
    ForEachVector(cols, [=](auto part, int64_t i) {
      const V slope = NegMulAdd(part.Get(x + i), c, part.Get(w + i) * part.Get(dy + i));
      part.Put(dx + i, MulAdd(s, slope, part.Get(dx + i)));
    });
    if (dw == nullptr) continue;
    ForEachVector(cols, [=](auto part, int64_t i) {
      part.Put(dw + i, MulAdd(part.Get(dy + i) * part.Get(x + i), s, part.Get(dw + i)));
    });
  }
}

// ---- rotary embedding

void Rope(const float* x, const float* cos_sin, int64_t rows, int64_t heads, int64_t head_dim,
          bool inverse, float* y) {
  const int64_t half = head_dim / 2;
  const V sign = Set(inverse ? -1.0f : 1.0f);
  for (int64_t r = 0; r < rows; ++r, cos_sin += head_dim) {
    for (int64_t h = 0; h < heads; ++h, x += head_dim, y += head_dim) {
      ForEachVector(half, [=](auto part, int64_t i) {
        const V c = part.Get(cos_sin + i);
        const V s = part.Get(cos_sin + half + i) * sign;
        const V a = part.Get(x + i);
        const V b = part.Get(x + half + i);
        part.Put(y + i, NegMulAdd(b, s, a * c));
        part.Put(y + half + i, MulAdd(a, s, b * c));
      });
    }
  }
}

// ---- gates; see ref/rows.cc for the formulas

template <GateKind kind>
inline V GateArgument(V g) {
  if constexpr (kind == GateKind::kSilu) return g;
  return Set(1.5957691216057308f) * g * MulAdd(Set(0.044715f) * g, g, Set(1.0f));
}

template <GateKind kind>
inline V GateArgumentSlope(V g) {
  if constexpr (kind == GateKind::kSilu) return Set(1.0f);
  return Set(1.5957691216057308f) * MulAdd(Set(3.0f * 0.044715f) * g, g, Set(1.0f));
}

template <GateKind kind>
void GateMulOf(const float* gate, const float* up, int64_t n, float* y) {
  ForEachVector(n, [=](auto part, int64_t i) {
    const V g = part.Get(gate + i);
    part.Put(y + i, g * Sigmoid(GateArgument<kind>(g)) * part.Get(up + i));
  });
}

template <GateKind kind>
void GateMulBackwardOf(const float* gate, const float* up, const float* dy, int64_t n, float* dgate,
                       float* dup) {
  ForEachVector(n, [=](auto part, int64_t i) {
    const V g = part.Get(gate + i);
    const V d = part.Get(dy + i);
    const V s = Sigmoid(GateArgument<kind>(g));
    const V slope = MulAdd(g * GateArgumentSlope<kind>(g), s * (Set(1.0f) - s), s);
    part.Put(dup + i, MulAdd(d, g * s, part.Get(dup + i)));
    part.Put(dgate + i, MulAdd(d * part.Get(up + i), slope, part.Get(dgate + i)));
  });
}

void GateMul(GateKind kind, const float* gate, const float* up, int64_t n, float* y) {
  if (kind == GateKind::kSilu) return GateMulOf<GateKind::kSilu>(gate, up, n, y);
  GateMulOf<GateKind::kGeluTanh>(gate, up, n, y);
}

void GateMulBackward(GateKind kind, const float* gate, const float* up, const float* dy, int64_t n,
                     float* dgate, float* dup) {
  if (kind == GateKind::kSilu)
    return GateMulBackwardOf<GateKind::kSilu>(gate, up, dy, n, dgate, dup);
  GateMulBackwardOf<GateKind::kGeluTanh>(gate, up, dy, n, dgate, dup);
}

// ---- sums, maxima

void AddValues(const float* a, const float* b, int64_t n, float* y) {
  ForEachVector(n,
                [=](auto part, int64_t i) { part.Put(y + i, part.Get(a + i) + part.Get(b + i)); });
}

void ScaleValues(const float* x, float factor, int64_t n, float* y) {
  const V f = Set(factor);
  ForEachVector(n, [=](auto part, int64_t i) { part.Put(y + i, part.Get(x + i) * f); });
}

// The largest number among n >= 1 values, or -infinity if there is none; NaN is passed over.
inline float LargestOf(const float* x, int64_t n) {
  const float lowest = -std::numeric_limits<float>::infinity();
  V a = Set(lowest), b = a, c = a, d = a;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a = MaxOrSecond(Load(x + i), a);
    b = MaxOrSecond(Load(x + i + kLanes), b);
    c = MaxOrSecond(Load(x + i + 2 * kLanes), c);
    d = MaxOrSecond(Load(x + i + 3 * kLanes), d);
  }
  for (; i + kLanes <= n; i += kLanes) a = MaxOrSecond(Load(x + i), a);
  float largest = Largest(MaxOrSecond(MaxOrSecond(a, b), MaxOrSecond(c, d)));
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

void LogSumExp(const float* x, int64_t rows, int64_t cols, float* lse) {
  constexpr int64_t kPart =
      4096;  // values whose sum is taken in fp32 before it joins the total in double
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    const float largest = LargestOf(x, cols);
    if (std::isinf(largest)) {  // infinite values: x - largest would be NaN
      bool nan = false;
      for (int64_t j = 0; j < cols; ++j) nan = nan || std::isnan(x[j]);
      lse[r] = nan ? std::numeric_limits<float>::quiet_NaN() : largest;
      continue;
    }
    const V shift = Set(largest);
    double total = 0;
    for (int64_t begin = 0; begin < cols; begin += kPart) {
      const float* p = x + begin;
      const int64_t n = std::min(kPart, cols - begin);
      const int64_t whole = n / kLanes * kLanes;
      total += SumVectors(
          whole, [=](auto part, int64_t i, V acc) { return acc + Exp(part.Get(p + i) - shift); });
      if (whole == n) continue;
      float last[kLanes];  // lanes past the end would count as e^(0 - largest)
      Store(last, Exp(LoadFirst(p + whole, n - whole) - shift));
      for (int64_t i = 0; i < n - whole; ++i) total += last[i];
    }
    lse[r] = largest + static_cast<float>(std::log(total));
  }
}

void ScaledSoftmax(const float* x, float lse, float factor, int64_t n, float* y) {
  const V shift = Set(lse);
  const V f = Set(factor);
  ForEachVector(
      n, [=](auto part, int64_t i) { part.Put(y + i, f * Exp(part.Get(x + i) - shift)); });
}

int32_t Argmax(const float* x, int64_t n) {
  if (n <= 0) return 0;
  const float largest = LargestOf(x, n);
  const V wanted = Set(largest);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const uint32_t found = EqualMask(Load(x + i), wanted);
    if (found != 0) return static_cast<int32_t>(i + __builtin_ctz(found));
  }
  for (; i < n; ++i) {
    if (x[i] == largest) return static_cast<int32_t>(i);
  }
  return 0;
}

void AddRows(KernelTable* table) {
  table->rms_norm = RmsNorm;
  table->rms_norm_backward = RmsNormBackward;
  table->rope = Rope;
  table->gate_mul = GateMul;
  table->gate_mul_backward = GateMulBackward;
  table->add = AddValues;
  table->scale = ScaleValues;
  table->log_sum_exp = LogSumExp;
  table->scaled_softmax = ScaledSoftmax;
  table->argmax = Argmax;
}
