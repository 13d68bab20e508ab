// Layer normalisation and activations over the vector type and the helpers of rows-inl.h, after
// which this is included, in the same region: no #include here. ref/encoder_rows.cc has the
// formulas.

struct RowMoments {
  float mean;
  float inverse;  // 1 / sqrt(variance + eps)
};

inline RowMoments MomentsOf(const float* x, float eps, int64_t cols) {
  const float count = static_cast<float>(cols);
  const float mean =
      SumVectors(cols, [x](auto part, int64_t i, V acc) { return acc + part.Get(x + i); }) / count;
  const V shift = Set(mean);
  const int64_t whole = cols / kLanes * kLanes;  // lanes past the end would count as 0 - mean
  float squares = SumVectors(whole, [x, shift](auto part, int64_t i, V acc) {
    const V d = part.Get(x + i) - shift;
    return MulAdd(d, d, acc);
  });
  for (int64_t i = whole; i < cols; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0f / std::sqrt(squares / count + eps)};
}

void LayerNorm(const float* x, const float* w, const float* b, float eps, int64_t rows,
               int64_t cols, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
    const RowMoments m = MomentsOf(x, eps, cols);
    const V mean = Set(m.mean), inverse = Set(m.inverse);
    ForEachVector(cols, [=](auto part, int64_t i) {
      const V z = (part.Get(x + i) - mean) * inverse;
      part.Put(y + i, MulAdd(z, part.Get(w + i), part.Get(b + i)));
    });
  }
}

void LayerNormBackward(const float* x, const float* w, float eps, const float* dy, int64_t rows,
                       int64_t cols, float* dx, float* dw, float* db) {
  for (int64_t r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const RowMoments m = MomentsOf(x, eps, cols);
    const V mean = Set(m.mean), inverse = Set(m.inverse);
    // w and dy give 0 past the end.
    const float sum = SumVectors(cols, [=](auto part, int64_t i, V acc) {
      return MulAdd(part.Get(w + i), part.Get(dy + i), acc);
    });
    const float dot = SumVectors(cols, [=](auto part, int64_t i, V acc) {
      return MulAdd(part.Get(w + i) * part.Get(dy + i), (part.Get(x + i) - mean) * inverse, acc);
    });
    const V mean_g = Set(sum / static_cast<float>(cols));
    const V mean_gz = Set(dot / static_cast<float>(cols));
    ForEachVector(cols, [=](auto part, int64_t i) {
      const V z = (part.Get(x + i) - mean) * inverse;
      const V d = part.Get(dy + i);
      const V slope = NegMulAdd(z, mean_gz, part.Get(w + i) * d - mean_g);
      part.Put(dx + i, MulAdd(inverse, slope, part.Get(dx + i)));
      if (dw != nullptr) part.Put(dw + i, MulAdd(d, z, part.Get(dw + i)));
      if (db != nullptr) part.Put(db + i, d + part.Get(db + i));
    });
  }
}

// The distribution function of the normal distribution, with a small relative error for negative x
// too. For z = |x| / sqrt(2) and t = 1 / (1 + 0.48 z), erfc(z) / 2 = e^(-z^2) t p(t); p fitted on
// z <= 10 for least relative error (3.4e-8) by reweighted least squares on Chebyshev nodes, each
// coefficient rounded before the next was fitted.
inline V NormalBelow(V x, V density) {
  const V size = MaxOrSecond(x, Zero() - x);
  const V t = Set(1.0f) / MulAdd(Set(0x1.eb851ep-2f * 0.70710678f), size, Set(1.0f));
  V p = MulAdd(Set(-0x1.a65cb6p-6f), t, Set(0x1.1b854ap-3f));
  p = MulAdd(p, t, Set(-0x1.172408p-2f));
  p = MulAdd(p, t, Set(0x1.a01a40p-3f));
  p = MulAdd(p, t, Set(-0x1.7170a4p-5f));
  p = MulAdd(p, t, Set(0x1.d97ce0p-4f));
  p = MulAdd(p, t, Set(0x1.d706ecp-4f));
  p = MulAdd(p, t, Set(0x1.16496ep-3f));
  p = MulAdd(p, t, Set(0x1.1544f4p-3f));
  const V tail = density * (p * t);
  // 1 - tail where x >= 0, else tail.
  return tail + ZeroBelow(NegMulAdd(Set(2.0f), tail, Set(1.0f)), x, Zero());
}

struct ValueAndSlope {
  V value;
  V slope;
};

inline ValueAndSlope GatedValue(V x, V z, V dz) {
  const V s = Sigmoid(z);
  return {x * s, MulAdd(x * dz, s * (Set(1.0f) - s), s)};
}

template <ActivationKind kind>
inline ValueAndSlope Evaluate(V x) {
  if constexpr (kind == ActivationKind::kGelu) {
    const V density = Exp(Set(-0.5f) * x * x);
    const V below = NormalBelow(x, density);
    return {x * below, MulAdd(x * Set(0.39894228f), density, below)};
  } else if constexpr (kind == ActivationKind::kRelu) {
    // NaN stays; the slope at 0 is 0.
    return {ZeroBelow(x, x, Zero()),
            ZeroBelow(Set(1.0f), x, Set(std::numeric_limits<float>::denorm_min()))};
  } else if constexpr (kind == ActivationKind::kQuickGelu) {
    return GatedValue(x, Set(1.702f) * x, Set(1.702f));
  } else {
    constexpr GateKind gate = kind == ActivationKind::kSilu ? GateKind::kSilu : GateKind::kGeluTanh;
    return GatedValue(x, GateArgument<gate>(x), GateArgumentSlope<gate>(x));
  }
}

// Calls op(constant of the kind).
template <typename Op>
inline void WithActivation(ActivationKind kind, Op&& op) {
  using K = ActivationKind;
  switch (kind) {
    case K::kGeluTanh:
      return op(std::integral_constant<K, K::kGeluTanh>());
    case K::kGelu:
      return op(std::integral_constant<K, K::kGelu>());
    case K::kQuickGelu:
      return op(std::integral_constant<K, K::kQuickGelu>());
    case K::kSilu:
      return op(std::integral_constant<K, K::kSilu>());
    case K::kRelu:
      return op(std::integral_constant<K, K::kRelu>());
  }
}

void Activate(ActivationKind kind, const float* x, int64_t n, float* y) {
  WithActivation(kind, [=](auto k) {
    ForEachVector(n, [=](auto part, int64_t i) {
      part.Put(y + i, Evaluate<decltype(k)::value>(part.Get(x + i)).value);
    });
  });
}

void ActivateBackward(ActivationKind kind, const float* x, const float* dy, int64_t n, float* dx) {
  WithActivation(kind, [=](auto k) {
    ForEachVector(n, [=](auto part, int64_t i) {
      const V slope = Evaluate<decltype(k)::value>(part.Get(x + i)).slope;
      part.Put(dx + i, MulAdd(part.Get(dy + i), slope, part.Get(dx + i)));
    });
  });
}

void AddEncoderRows(KernelTable* table) {
  table->layer_norm = LayerNorm;
  table->layer_norm_backward = LayerNormBackward;
  table->activation = Activate;
  table->activation_backward = ActivateBackward;
}
