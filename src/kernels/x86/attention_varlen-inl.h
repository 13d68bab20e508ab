// Attention over plain fp32 tensors. Forward: the keys and values of the head are laid out as fp32
// pages in scratch and the fp32 path runs over them. Backward: blocks of 32 queries x 32 keys with
// the probabilities recomputed from the saved log-sum-exp; all five products run on the tiles of
// the fp32 path. Included after attention_fp32-inl.h and attention_write-inl.h, in the same region:
// no #include here.

constexpr int64_t kSide = kPageTokens;  // of the backward blocks

struct BackwardWorkspace {
  float* keys;      // a block of keys in a page's K layout
  float* values;    // a block of values in the same
  float* p;         // [kSide queries][kSide keys] scores, then probabilities
  float* ds;        // the same: gradient of the scores
  float* p_turned;  // [kSide keys][kSide queries]
  float* ds_turned;
  float* delta;  // [tokens]
};

inline int64_t LayOutBackward(int64_t head_dim, int64_t tokens, uint8_t* base,
                              BackwardWorkspace* w) {
  uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(base), 64));
  uint8_t* const start = at;
  const auto take = [&at](int64_t floats) {
    float* taken = reinterpret_cast<float*>(at);
    at += RoundUp(floats * 4, 64);
    return taken;
  };
  w->keys = take(kSide * head_dim);
  w->values = take(kSide * head_dim);
  w->p = take(kSide * kSide);
  w->ds = take(kSide * kSide);
  w->p_turned = take(kSide * kSide);
  w->ds_turned = take(kSide * kSide);
  w->delta = take(tokens);
  return at - start + 64;
}

inline int64_t NumPages(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

inline int64_t VarlenScratchBytes(const AttentionShape& shape, int64_t tokens) {
  Workspace paged;
  BackwardWorkspace backward;
  const int64_t pages = NumPages(tokens);
  const int64_t forward = RoundUp(pages * int64_t{sizeof(uint8_t*)}, 64) +
                          pages * KvPageBytes(KvType::kF32, 1, shape.head_dim) + 64 +
                          LayOut(shape.head_dim, tokens, nullptr, &paged);
  return std::max(forward, LayOutBackward(shape.head_dim, tokens, nullptr, &backward));
}

void VarlenAttention(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                     const float* k, const float* v, const int32_t* look_ahead, int64_t h,
                     float* out, float* lse, void* scratch) {
  const int64_t tokens = span.end - span.begin;
  const int64_t head_dim = shape.head_dim;
  const int64_t stride = shape.num_kv_heads * head_dim;
  const int64_t from = span.begin * stride + h / (shape.num_heads / shape.num_kv_heads) * head_dim;
  const KvPageLayout layout = KvLayoutOf(KvType::kF32, head_dim);
  const int64_t num_pages = NumPages(tokens);

  uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(scratch), 64));
  uint8_t** pages = reinterpret_cast<uint8_t**>(at);
  at += RoundUp(num_pages * int64_t{sizeof(uint8_t*)}, 64);
  for (int64_t page = 0; page < num_pages; ++page, at += layout.head_bytes) {
    pages[page] = at;
    const int64_t begin = page * kPageTokens;
    const int64_t n = std::min(kPageTokens, tokens - begin);
    WriteHead<KvType::kF32>(head_dim, layout, k + from + begin * stride, v + from + begin * stride,
                            stride, 0, n, at);
    if (n < kPageTokens) ClearSlots<KvType::kF32>(head_dim, layout, n, at);
  }
  PagedCall call{shape,      span,     q, look_ahead, h,       1,   0,
                 span.begin, span.end, 0, 0,          nullptr, out, lse};
  call.shape.kv_type = KvType::kF32;
  call.span.position = 0;
  call.span.kv = {pages, 0};
  RunPaged<Fp32Path<KvType::kF32>>(call, at);
}

// Rows of a matrix as the K of a page; rows behind n are 0.
inline void TransposeToPage(const float* rows, int64_t stride, int64_t n, int64_t head_dim,
                            float* page) {
  for (int64_t slot = 0; slot < kPageTokens; ++slot) {
    float* to = page + slot / 16 * head_dim * 16 + slot % 16 * 2;
    const float* row = rows + slot * stride;
    for (int64_t d = 0; d < head_dim; d += 2, to += 32) {
      to[0] = slot < n ? row[d] : 0.0f;
      to[1] = slot < n ? row[d + 1] : 0.0f;
    }
  }
}

inline float DotProduct(const float* a, const float* b, int64_t n) {
  V sum = Zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = MulAdd(Load(a + i), Load(b + i), sum);
  if (i < n) sum = MulAdd(LoadFirst(a + i, n - i), LoadFirst(b + i, n - i), sum);
  return Sum(sum);
}

inline void Turn(const float* from, float* to) {
  for (int64_t i = 0; i < kSide; ++i) {
    for (int64_t j = 0; j < kSide; ++j) to[j * kSide + i] = from[i * kSide + j];
  }
}

// With p = exp(s - lse) and delta = dout . out:  dv += p dout,  ds = p (dout . v - delta) scale, dq
// += ds k,  dk += ds q.
void VarlenBackward(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                    const float* k, const float* v, const int32_t* look_ahead, const float* out,
                    const float* lse, const float* dout, int64_t g, float* dq, float* dk, float* dv,
                    void* scratch) {
  const int64_t tokens = span.end - span.begin;
  const int64_t head_dim = shape.head_dim;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const int64_t q_stride = shape.num_heads * head_dim;
  const int64_t kv_stride = shape.num_kv_heads * head_dim;
  BackwardWorkspace w;
  LayOutBackward(head_dim, tokens, static_cast<uint8_t*>(scratch), &w);

  for (int64_t h = g * group; h < (g + 1) * group; ++h) {
    const int64_t q_begin = span.begin * q_stride + h * head_dim;
    for (int64_t t = 0; t < tokens; ++t) {
      w.delta[t] =
          DotProduct(dout + q_begin + t * q_stride, out + q_begin + t * q_stride, head_dim);
    }
    for (int64_t key0 = 0; key0 < tokens; key0 += kSide) {
      const int64_t num_keys = std::min(kSide, tokens - key0);
      const int64_t kv_at = (span.begin + key0) * kv_stride + g * head_dim;
      TransposeToPage(k + kv_at, kv_stride, num_keys, head_dim, w.keys);
      TransposeToPage(v + kv_at, kv_stride, num_keys, head_dim, w.values);
      const uint8_t* keys = reinterpret_cast<const uint8_t*>(w.keys);
      const uint8_t* values = reinterpret_cast<const uint8_t*>(w.values);
      for (int64_t t0 = 0; t0 < tokens; t0 += kSide) {
        const int64_t rows = std::min(kSide, tokens - t0);
        KeyInterval seen[kSide];
        bool any = false;
        for (int64_t r = 0; r < rows; ++r) {
          const int32_t* last = look_ahead == nullptr ? nullptr : look_ahead + span.begin + t0 + r;
          seen[r] = VisibleKeys(shape, t0 + r, last, tokens);
          any |= seen[r].begin < key0 + num_keys && seen[r].end > key0;
        }
        if (!any) continue;
        const int64_t q_at = q_begin + t0 * q_stride;
        ScoresOfPage<KvType::kF32>(rows, q + q_at, q_stride, keys, keys, head_dim, w.p, kSide);
        ScoresOfPage<KvType::kF32>(rows, dout + q_at, q_stride, values, values, head_dim, w.ds,
                                   kSide);
        for (int64_t r = 0; r < kSide; ++r) {
          const bool real = r < rows;
          const V row_lse = Set(real ? lse[(span.begin + t0 + r) * shape.num_heads + h] : 0.0f);
          const V row_delta = Set(real ? w.delta[t0 + r] : 0.0f);
          for (int64_t j = 0; j < kSide; j += kLanes) {
            V p = Zero(), ds = Zero();
            if (real) {
              const int64_t first = key0 + j;
              p = Exp(Load(w.p + r * kSide + j) * Set(shape.scale) - row_lse);
              p = KeepLanes(p, seen[r].begin - first, seen[r].end - first, Zero());
              ds = p * (Load(w.ds + r * kSide + j) - row_delta) * Set(shape.scale);
            }
            Store(w.p + r * kSide + j, p);
            Store(w.ds + r * kSide + j, ds);
          }
        }
        Turn(w.p, w.p_turned);
        Turn(w.ds, w.ds_turned);
        const int64_t row_pairs = (rows + 1) / 2;
        AddValues(rows, w.ds, kSide, PlainValues{k + kv_at, kv_stride, num_keys},
                  (num_keys + 1) / 2, head_dim, true, dq + q_at, q_stride);
        AddValues(num_keys, w.ds_turned, kSide, PlainValues{q + q_at, q_stride, rows}, row_pairs,
                  head_dim, true, dk + kv_at, kv_stride);
        AddValues(num_keys, w.p_turned, kSide, PlainValues{dout + q_at, q_stride, rows}, row_pairs,
                  head_dim, true, dv + kv_at, kv_stride);
      }
    }
  }
}

// ---- the remaining entries of the table

inline int64_t PagedScratchBytes(const AttentionShape& shape, int64_t rows) {
  Workspace workspace;
  return LayOut(shape.head_dim, rows * (shape.num_heads / shape.num_kv_heads), nullptr, &workspace);
}

void MergePartials(const float* partials, int64_t parts, int64_t part_stride, int64_t rows,
                   int64_t head_dim, float* out) {
  for (int64_t row = 0; row < rows; ++row, out += head_dim) {
    std::fill_n(out, head_dim, 0.0f);
    float maximum = kEmpty, total = 0.0f;
    for (int64_t part = 0; part < parts; ++part) {
      const float* from = partials + part * part_stride + row * (head_dim + 2);
      MergeRow(from, from[head_dim], from[head_dim + 1], head_dim, out, &maximum, &total);
    }
    FinishRow(out, total, head_dim, out);
  }
}

// Everything but paged_attention.
inline void AddPlainAttention(KernelTable* table) {
  table->kv_write = KvWrite;
  table->paged_attention_scratch_bytes = PagedScratchBytes;
  table->merge_partials = MergePartials;
  table->attention = VarlenAttention;
  table->attention_scratch_bytes = VarlenScratchBytes;
  table->attention_backward = VarlenBackward;
}
