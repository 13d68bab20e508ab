// Attention over pages, for any arithmetic ("path"): blocks of query rows x blocks of keys, an unnormalised result
// {sums, maximum, total} per block, merged in ascending order of keys. Included once per instruction set, inside its target
// region and an anonymous namespace, after simd_*-inl.h and exp-inl.h: no #include here.
//
// A path computes the two products of a block of keys:
//   static StoreWeights(low, high, scores, weights)  keeps 2 * kLanes weights of the values in one of the two places
//   Path(shape, workspace)
//   void SetQuery(row, q)                          takes query row `row` of the row block, D floats
//   void Begin(rows)                               all rows are set
//   void Scores(block)                             scores[row][32 * i + slot] for the pages i of the block
//   void Values(block, sums)                       sums[row][d] = weights * values
// Bits of a row never depend on the other rows: every sum runs over keys or features in ascending order from zero, and a key
// that a row does not see adds an exact 0.

constexpr int64_t kBlockPages = 8;  // pages whose scores are held at once; blocks are aligned to it
constexpr int64_t kBlockTokens = kBlockPages * kPageTokens;
constexpr int64_t kRowBlock = 64;   // (token, head) rows that share a pass over the pages
constexpr float kEmpty = -std::numeric_limits<float>::infinity();
static_assert(kSegmentTokens % kBlockTokens == 0);

// Unnormalised results of the rows of a row block.
struct RowStates {
  float* sums;     // [rows][stride]
  float* maximum;  // [rows]
  float* total;    // [rows]
};

struct Workspace {
  int64_t stride;     // of sums: D rounded up to 16
  float* query;       // [rows][D] in the form that the path wants (at most 4 bytes an element)
  float* scores;      // [rows][kBlockTokens]
  uint16_t* weights;  // [rows][kBlockTokens], bf16
  RowStates block, segment, all;
  uint8_t* converted;  // keys of one page, values of kBlockPages pages, as bf16
};

inline int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Lays the workspace out from `base` on, or with base null only counts its bytes.
inline int64_t LayOut(int64_t head_dim, int64_t rows, uint8_t* base, Workspace* w) {
  rows = RoundUp(std::min(rows, kRowBlock), 16);
  uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(base), 64));
  uint8_t* const start = at;
  const auto take = [&at](int64_t bytes) {
    uint8_t* taken = at;
    at += RoundUp(bytes, 64);
    return taken;
  };
  w->stride = RoundUp(head_dim, 16);
  w->query = reinterpret_cast<float*>(take(rows * head_dim * 4));
  w->scores = reinterpret_cast<float*>(take(rows * kBlockTokens * 4));
  w->weights = reinterpret_cast<uint16_t*>(take(rows * kBlockTokens * 2));
  for (RowStates* states : {&w->block, &w->segment, &w->all}) {
    states->sums = reinterpret_cast<float*>(take(rows * w->stride * 4));
    states->maximum = reinterpret_cast<float*>(take(rows * 4));
    states->total = reinterpret_cast<float*>(take(rows * 4));
  }
  w->converted = take((1 + kBlockPages) * kPageTokens * head_dim * 2);
  return at - start + 64;
}

// Neighbouring pages of one key/value head.
struct PageBlock {
  const uint8_t* heads[kBlockPages];  // K of each page
  int64_t count;
  const uint8_t* next;  // the page behind the block, read soon; or the last one again
  KvPageLayout layout;
};

// exp(maximum - new_maximum), and 0 for a state that has seen no key.
inline float MergeWeight(float maximum, float new_maximum) {
  if (maximum == kEmpty) return 0.0f;
  alignas(64) float lanes[kLanes];
  Store(lanes, Exp(Set(maximum - new_maximum)));
  return lanes[0];
}

// Merges one row's state into another.
inline void MergeRow(const float* sums, float maximum, float total, int64_t head_dim, float* into_sums,
                     float* into_maximum, float* into_total) {
  const float new_maximum = std::max(*into_maximum, maximum);
  const float keep = MergeWeight(*into_maximum, new_maximum);
  const float add = MergeWeight(maximum, new_maximum);
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) {
    Store(into_sums + d, MulAdd(Load(sums + d), Set(add), Load(into_sums + d) * Set(keep)));
  }
  if (d < head_dim) {
    const int64_t n = head_dim - d;
    StoreFirst(into_sums + d, MulAdd(LoadFirst(sums + d, n), Set(add), LoadFirst(into_sums + d, n) * Set(keep)),
               n);
  }
  *into_total = __builtin_fmaf(total, add, *into_total * keep);
  *into_maximum = new_maximum;
}

// out = sums / total. Adding 0 turns a -0, which a skipped key would have turned, into 0.
inline void FinishRow(const float* sums, float total, int64_t head_dim, float* out) {
  const V inverse = Set(total == 0.0f ? 0.0f : 1.0f / total);
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) Store(out + d, MulAdd(Load(sums + d), inverse, Zero()));
  if (d < head_dim) {
    StoreFirst(out + d, MulAdd(LoadFirst(sums + d, head_dim - d), inverse, Zero()), head_dim - d);
  }
}

// First half of a row's softmax: applies the scales of the keys and the mask to the scores, and returns their maximum.
template <bool kScaled, bool kMasked>
inline float MaximumOfRow(const PageBlock& block, KeyInterval seen, float* scores) {
  V maximum[2] = {Set(kEmpty), Set(kEmpty)};
  for (int64_t i = 0; i < block.count; ++i) {
    const float* key_scales = reinterpret_cast<const float*>(block.heads[i] + block.layout.scale_offset);
    for (int64_t v = 0; v < kPageTokens / kLanes; ++v) {
      const int64_t at = i * kPageTokens + v * kLanes;
      V s = Load(scores + at);
      if constexpr (kScaled) s = s * Load(key_scales + v * kLanes);
      if constexpr (kMasked) s = KeepLanes(s, seen.begin - at, seen.end - at, Set(kEmpty));
      if constexpr (kScaled || kMasked) Store(scores + at, s);
      maximum[v % 2] = MaxOrSecond(s, maximum[v % 2]);
    }
  }
  return Largest(MaxOrSecond(maximum[0], maximum[1]));
}

// Second half: weights e^(score - maximum) (times the scales of the values), and the sum of the exponentials.
template <typename Path, bool kScaled>
inline float WeightsOfRow(const PageBlock& block, float maximum, float* scores, uint16_t* weights) {
  const V shift = Set(maximum == kEmpty ? 0.0f : maximum);
  V total[2] = {Zero(), Zero()};
  for (int64_t i = 0; i < block.count; ++i) {
    const float* value_scales =
        reinterpret_cast<const float*>(block.heads[i] + block.layout.scale_offset) + kPageTokens;
    for (int64_t v = 0; v < kPageTokens / kLanes; v += 2) {
      const int64_t at = i * kPageTokens + v * kLanes;
      V low = Exp(Load(scores + at) - shift);
      V high = Exp(Load(scores + at + kLanes) - shift);
      total[0] = total[0] + low;
      total[1] = total[1] + high;
      if constexpr (kScaled) {
        low = low * Load(value_scales + v * kLanes);
        high = high * Load(value_scales + (v + 1) * kLanes);
      }
      Path::StoreWeights(low, high, scores + at, weights + at);
    }
  }
  return Sum(total[0] + total[1]);
}

// seen: keys that the row sees, relative to the block's first page.
template <typename Path>
inline void SoftmaxRow(const PageBlock& block, bool scaled, KeyInterval seen, float* scores, uint16_t* weights,
                       float* maximum, float* total) {
  const bool masked = seen.begin > 0 || seen.end < block.count * kPageTokens;
  if (scaled) {
    *maximum = masked ? MaximumOfRow<true, true>(block, seen, scores) : MaximumOfRow<true, false>(block, seen, scores);
    *total = WeightsOfRow<Path, true>(block, *maximum, scores, weights);
  } else {
    *maximum = masked ? MaximumOfRow<false, true>(block, seen, scores) : MaximumOfRow<false, false>(block, seen, scores);
    *total = WeightsOfRow<Path, false>(block, *maximum, scores, weights);
  }
}

// Which rows a call computes and where its results go. Heads [first_head, first_head + heads) read head kv_head of the pages.
struct PagedCall {
  AttentionShape shape;
  AttentionSpan span;
  const float* q;
  const int32_t* look_ahead;
  int64_t first_head, heads, kv_head;
  int64_t row0, row1;
  int64_t key0, key1;
  float* partial;  // or null
  float* out;
  float* lse;  // or null
};

// Rows [begin, begin + rows) of the call's (token, head) rows.
template <typename Path>
void RunRowBlock(const PagedCall& call, int64_t begin, int64_t rows, Workspace* w) {
  const AttentionShape& shape = call.shape;
  const int64_t head_dim = shape.head_dim;
  const bool scaled = shape.kv_type == KvType::kI8;
  KeyInterval seen[kRowBlock];
  KeyInterval any{std::numeric_limits<int64_t>::max(), 0};  // keys that some row sees
  Path path(shape, *w);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t row = call.row0 + (begin + r) / call.heads;
    const int64_t head = call.first_head + (begin + r) % call.heads;
    path.SetQuery(r, call.q + (row * shape.num_heads + head) * head_dim);
    seen[r] = VisibleKeysOfRow(shape, call.span, call.look_ahead, row);
    if (call.partial != nullptr) {
      seen[r] = {std::max(seen[r].begin, call.key0), std::min(seen[r].end, call.key1)};
    }
    if (seen[r].begin < seen[r].end) {
      any = {std::min(any.begin, seen[r].begin), std::max(any.end, seen[r].end)};
    }
  }
  path.Begin(rows);

  PageBlock block;
  block.layout = KvLayoutOf(shape.kv_type, head_dim);
  const auto head_of_page = [&](int64_t page) -> const uint8_t* {
    return call.span.kv.pages[page - call.span.kv.first_page] + call.kv_head * block.layout.head_bytes;
  };
  const int64_t end_page = RoundUp(any.end, kPageTokens) / kPageTokens;
  bool segment_open = false, all_open = false;
  for (int64_t page = any.begin / kPageTokens; page < end_page;) {
    const int64_t block_end = std::min(end_page, (page / kBlockPages + 1) * kBlockPages);
    block.count = block_end - page;
    for (int64_t i = 0; i < block.count; ++i) block.heads[i] = head_of_page(page + i);
    block.next = head_of_page(block_end < end_page ? block_end : block_end - 1);
    path.Scores(block);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t first = page * kPageTokens;
      SoftmaxRow<Path>(block, scaled, {seen[r].begin - first, seen[r].end - first}, w->scores + r * kBlockTokens,
                       w->weights + r * kBlockTokens, &w->block.maximum[r], &w->block.total[r]);
    }
    path.Values(block, w->block.sums);
    if (!segment_open) {
      std::swap(w->block, w->segment);
      segment_open = true;
    } else {
      for (int64_t r = 0; r < rows; ++r) {
        MergeRow(w->block.sums + r * w->stride, w->block.maximum[r], w->block.total[r], head_dim,
                 w->segment.sums + r * w->stride, &w->segment.maximum[r], &w->segment.total[r]);
      }
    }
    page = block_end;
    if (page == end_page || page * kPageTokens % kSegmentTokens == 0) {
      segment_open = false;
      if (!all_open) {
        std::swap(w->segment, w->all);
        all_open = true;
      } else {
        for (int64_t r = 0; r < rows; ++r) {
          MergeRow(w->segment.sums + r * w->stride, w->segment.maximum[r], w->segment.total[r], head_dim,
                   w->all.sums + r * w->stride, &w->all.maximum[r], &w->all.total[r]);
        }
      }
    }
  }
  if (!all_open) {
    std::fill_n(w->all.sums, rows * w->stride, 0.0f);
    std::fill_n(w->all.maximum, rows, kEmpty);
    std::fill_n(w->all.total, rows, 0.0f);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const float* sums = w->all.sums + r * w->stride;
    if (call.partial != nullptr) {
      float* to = call.partial + (begin + r) * (head_dim + 2);
      __builtin_memcpy(to, sums, static_cast<size_t>(head_dim) * sizeof(float));
      to[head_dim] = w->all.maximum[r];
      to[head_dim + 1] = w->all.total[r];
      continue;
    }
    const int64_t row = call.row0 + (begin + r) / call.heads;
    const int64_t at = row * shape.num_heads + call.first_head + (begin + r) % call.heads;
    FinishRow(sums, w->all.total[r], head_dim, call.out + at * head_dim);
    if (call.lse != nullptr) call.lse[at] = w->all.maximum[r] + std::log(w->all.total[r]);
  }
}

template <typename Path>
void RunPaged(const PagedCall& call, void* scratch) {
  const int64_t rows = (call.row1 - call.row0) * call.heads;
  Workspace workspace;
  LayOut(call.shape.head_dim, rows, static_cast<uint8_t*>(scratch), &workspace);
  for (int64_t begin = 0; begin < rows; begin += kRowBlock) {
    RunRowBlock<Path>(call, begin, std::min(kRowBlock, rows - begin), &workspace);
  }
}

inline PagedCall MakeCall(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                          const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1, int64_t key0, int64_t key1,
                          float* partial, float* out) {
  const int64_t heads = shape.num_heads / shape.num_kv_heads;
  return {shape, span, q, look_ahead, g * heads, heads, g, row0, row1, key0, key1, partial, out, nullptr};
}
