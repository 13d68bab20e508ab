// The fp32 path: float queries and weights times pages of any type, widened in registers. Few rows:
// bound by reading the pages; many: by fused multiply-adds. Included after attention_paged-inl.h,
// in the same region: no #include here.

template <KvType type>
constexpr int64_t kElementBytes = type == KvType::kF32  ? 4
                                  : type == KvType::kI8 ? 1
                                                        : 2;
constexpr int kMaxTileRows =
    kLanes == 16 ? 8 : 4;  // rows whose sums fit in registers, 2 vectors each

// Scores of kRows rows and one page. next: a page to prefetch line by line.
template <KvType type, int kRows>
inline void ScoresTile(const float* q, int64_t q_stride, const uint8_t* keys, const uint8_t* next,
                       int64_t head_dim, float* scores, int64_t scores_stride) {
  constexpr int64_t kLine = 32 * kElementBytes<type>;  // a pair of features of 16 tokens
  const int64_t group_bytes = head_dim / 2 * kLine;
  for (int64_t token = 0; token < kPageTokens; token += 2 * kLanes) {
    const int64_t low = token / 16 * group_bytes + token % 16 * 2 * kElementBytes<type>;
    const int64_t high_token = token + kLanes;
    const int64_t high = high_token / 16 * group_bytes + high_token % 16 * 2 * kElementBytes<type>;
    V sums[kRows][2];
    for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = Zero();
    for (int64_t pair = 0; pair < head_dim / 2; ++pair) {
      const Pairs a = LoadPairs<type>(keys + low + pair * kLine);
      const Pairs b = LoadPairs<type>(keys + high + pair * kLine);
      _mm_prefetch(reinterpret_cast<const char*>(next + low + pair * kLine), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(next + high + pair * kLine), _MM_HINT_T0);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const V even = Set(q[r * q_stride + 2 * pair]);
        const V odd = Set(q[r * q_stride + 2 * pair + 1]);
        sums[r][0] = MulAdd(odd, a.odd, MulAdd(even, a.even, sums[r][0]));
        sums[r][1] = MulAdd(odd, b.odd, MulAdd(even, b.even, sums[r][1]));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      Store(scores + r * scores_stride + token, sums[r][0]);
      Store(scores + r * scores_stride + high_token, sums[r][1]);
    }
  }
}

// Any number of rows.
template <KvType type, int kRows = kMaxTileRows>
inline void ScoresOfPage(int64_t rows, const float* q, int64_t q_stride, const uint8_t* keys,
                         const uint8_t* next, int64_t head_dim, float* scores,
                         int64_t scores_stride) {
  for (; rows >= kRows; rows -= kRows, q += kRows * q_stride, scores += kRows * scores_stride) {
    ScoresTile<type, kRows>(q, q_stride, keys, next, head_dim, scores, scores_stride);
  }
  if constexpr (kRows > 1) {
    if (rows > 0)
      ScoresOfPage<type, kRows - 1>(rows, q, q_stride, keys, next, head_dim, scores, scores_stride);
  }
}

// Values of a page: pairs of tokens, by feature.
template <KvType type>
struct PageValues {
  const uint8_t* values;
  const uint8_t* next;
  int64_t head_dim;
  Pairs Get(int64_t pair, int64_t d) const {
    const int64_t at = (pair * head_dim + d) * 2 * kElementBytes<type>;
    _mm_prefetch(reinterpret_cast<const char*>(next + at), _MM_HINT_T0);
    return LoadPairs<type>(values + at);
  }
  Pairs GetFirst(int64_t pair, int64_t d, int64_t n) const {
    return LoadPairsFirst<type>(values + (pair * head_dim + d) * 2 * kElementBytes<type>, n);
  }
};

// Rows of a plain matrix in place of a page: `rows` of them, row i at values + i * stride.
struct PlainValues {
  const float* values;
  int64_t stride;
  int64_t rows;
  const float* Odd(int64_t pair) const {
    return values + std::min(2 * pair + 1, rows - 1) * stride;
  }
  Pairs Get(int64_t pair, int64_t d) const {
    return {Load(values + 2 * pair * stride + d), Load(Odd(pair) + d)};
  }
  Pairs GetFirst(int64_t pair, int64_t d, int64_t n) const {
    return {LoadFirst(values + 2 * pair * stride + d, n), LoadFirst(Odd(pair) + d, n)};
  }
};

// sums[row][d..] (+)= weights[row][0..2*pairs) * values, for kVectors vectors of features from d
// on, or the first `tail` features (kVectors = 1).
template <typename Source, int kRows, int kVectors, bool kTail>
inline void ValuesTile(const float* weights, int64_t weights_stride, const Source& source,
                       int64_t pairs, int64_t d, int64_t tail, bool accumulate, float* sums,
                       int64_t sums_stride) {
  V acc[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      const float* from = sums + r * sums_stride + d + v * kLanes;
      acc[r][v] = !accumulate ? Zero() : kTail ? LoadFirst(from, tail) : Load(from);
    }
  }
  for (int64_t pair = 0; pair < pairs; ++pair) {
    Pairs x[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      x[v] = kTail ? source.GetFirst(pair, d, tail) : source.Get(pair, d + v * kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const V even = Set(weights[r * weights_stride + 2 * pair]);
      const V odd = Set(weights[r * weights_stride + 2 * pair + 1]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = MulAdd(odd, x[v].odd, MulAdd(even, x[v].even, acc[r][v]));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* to = sums + r * sums_stride + d + v * kLanes;
      if constexpr (kTail)
        StoreFirst(to, acc[r][v], tail);
      else
        Store(to, acc[r][v]);
    }
  }
}

template <typename Source, int kRows = kMaxTileRows>
inline void AddValues(int64_t rows, const float* weights, int64_t weights_stride,
                      const Source& source, int64_t pairs, int64_t head_dim, bool accumulate,
                      float* sums, int64_t sums_stride) {
  constexpr int kVectors = kLanes == 16 && kRows <= 4 ? 4 : 2;
  for (; rows >= kRows;
       rows -= kRows, weights += kRows * weights_stride, sums += kRows * sums_stride) {
    int64_t d = 0;
    for (; d + kVectors * kLanes <= head_dim; d += kVectors * kLanes) {
      ValuesTile<Source, kRows, kVectors, false>(weights, weights_stride, source, pairs, d, 0,
                                                 accumulate, sums, sums_stride);
    }
    for (; d + kLanes <= head_dim; d += kLanes) {
      ValuesTile<Source, kRows, 1, false>(weights, weights_stride, source, pairs, d, 0, accumulate,
                                          sums, sums_stride);
    }
    if (d < head_dim) {
      ValuesTile<Source, kRows, 1, true>(weights, weights_stride, source, pairs, d, head_dim - d,
                                         accumulate, sums, sums_stride);
    }
  }
  if constexpr (kRows > 1) {
    if (rows > 0) {
      AddValues<Source, kRows - 1>(rows, weights, weights_stride, source, pairs, head_dim,
                                   accumulate, sums, sums_stride);
    }
  }
}

template <KvType type>
class Fp32Path {
 public:
  static constexpr int64_t kRowBlock = 64;
  static constexpr float kUnit = 1.0f;
  static constexpr bool kPrefetch = true;
  static V Weight(V x) { return Exp(x); }
  static void StoreWeights(V low, V high, float* scores, uint16_t* /*weights*/) {
    Store(scores, low);
    Store(scores + kLanes, high);
  }

  Fp32Path(const AttentionShape& shape, const Workspace& w) : shape_(shape), w_(w) {}

  void SetQuery(int64_t row, const float* q) {
    float* to = w_.query + row * shape_.head_dim;
    for (int64_t d = 0; d < shape_.head_dim; ++d) to[d] = q[d] * shape_.scale;
  }
  void Begin(int64_t rows) { rows_ = rows; }

  void Scores(const PageBlock& block) {
    for (int64_t i = 0; i < block.count; ++i) {
      const bool last = i + 1 == block.count;
      const uint8_t* next = last ? block.heads[0] + block.layout.v_offset : block.heads[i + 1];
      ScoresOfPage<type>(rows_, w_.query, shape_.head_dim, block.heads[i], next, shape_.head_dim,
                         w_.scores + i * kPageTokens, kBlockTokens);
    }
  }

  void Values(const PageBlock& block, const float* keep, float* sums) {
    for (int64_t r = 0; keep != nullptr && r < rows_; ++r) {
      if (keep[r] == 1.0f) continue;
      float* row = sums + r * w_.stride;
      for (int64_t d = 0; d < w_.stride; d += kLanes) Store(row + d, Load(row + d) * Set(keep[r]));
    }
    for (int64_t i = 0; i < block.count; ++i) {
      const uint8_t* next = i + 1 < block.count    ? block.heads[i + 1] + block.layout.v_offset
                            : block.next_count > 0 ? block.next[0]
                                                   : block.heads[i] + block.layout.v_offset;
      AddValues(rows_, w_.scores + i * kPageTokens, kBlockTokens,
                PageValues<type>{block.heads[i] + block.layout.v_offset, next, shape_.head_dim},
                kPageTokens / 2, shape_.head_dim, /*accumulate=*/keep != nullptr || i > 0, sums,
                w_.stride);
    }
  }

 private:
  const AttentionShape& shape_;
  const Workspace& w_;
  int64_t rows_ = 0;
};

// One call on the fp32 path.
inline void RunFp32(const PagedCall& call, void* scratch) {
  switch (call.shape.kv_type) {
    case KvType::kF32:
      return RunPaged<Fp32Path<KvType::kF32>>(call, scratch);
    case KvType::kBf16:
      return RunPaged<Fp32Path<KvType::kBf16>>(call, scratch);
    case KvType::kF16:
      return RunPaged<Fp32Path<KvType::kF16>>(call, scratch);
    case KvType::kI8:
      return RunPaged<Fp32Path<KvType::kI8>>(call, scratch);
  }
}
