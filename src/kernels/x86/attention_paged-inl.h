// Attention over pages, for any arithmetic ("path"): blocks of query rows x blocks of keys, with a
// running maximum, sum of exponentials and sums of values per row. Included once per instruction
// set, inside its target region and an anonymous namespace, after simd_*-inl.h and exp-inl.h: no
// #include here.
//
// A path computes the two products of a block of keys and decides what a score's unit is:
//   kRowBlock                                  (token, head) rows that share a pass over the pages
//   kUnit                                      score unit: a weight is exp(kUnit * (score -
//   maximum)) Weight(V x)                                exp(kUnit * x) for x <= 0; exactly 1 at 0,
//   exactly 0 at -infinity StoreWeights(low, high, scores, weights)   keeps 2 * kLanes weights of
//   the values in one of the two places SetQuery(row, q)                           takes query row
//   `row` of the row block, D floats Begin(rows)                                all rows are set
//   Scores(block)                              scores[row][32 * i + slot] for the pages i of the
//   block, in units Values(block, keep, sums)                  sums[row][d] = sums[row][d] *
//   keep[row] + weights * values; keep null: all 0 kPrefetch prefetches the pages itself
// Bits of a row never depend on the other rows: every sum runs over keys or features in ascending
// order from zero, and a key that a row does not see adds an exact 0.

constexpr int64_t kBlockPages =
    16;  // pages whose scores are held at once; blocks are aligned to it
constexpr int64_t kBlockTokens = kBlockPages * kPageTokens;
constexpr float kEmpty = -std::numeric_limits<float>::infinity();
static_assert(kSegmentTokens % kBlockTokens == 0);

// Unnormalised results of the rows of a row block.
struct RowStates {
  float* sums;     // [rows][stride]
  float* maximum;  // [rows]
  float* total;    // [rows] sum of exponentials
};

struct Workspace {
  int64_t stride;     // of sums: D rounded up to 16
  float* query;       // [rows][D] in the form that the path wants (at most 4 bytes an element)
  float* scores;      // [rows][kBlockTokens]
  uint16_t* weights;  // [rows][kBlockTokens], bf16
  float* keep;        // [rows]
  KeyInterval* seen;  // [rows]
  RowStates segment, all;
  uint8_t* converted;  // keys of one page, values of kBlockPages pages, as bf16
};

inline int64_t RoundUp(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

constexpr int64_t kMaxRowBlock = 128;

// Lays the workspace of row blocks of `rows` out from `base` on, or with base null only counts its
// bytes.
inline int64_t LayOut(int64_t head_dim, int64_t rows, uint8_t* base, Workspace* w) {
  rows = RoundUp(std::min(rows, kMaxRowBlock), 16);
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
  w->keep = reinterpret_cast<float*>(take(rows * 4));
  w->seen = reinterpret_cast<KeyInterval*>(take(rows * int64_t{sizeof(KeyInterval)}));
  for (RowStates* states : {&w->segment, &w->all}) {
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
  const uint8_t* next[kBlockPages];  // the pages of the next block, to prefetch
  int64_t next_count;
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
inline void MergeRow(const float* sums, float maximum, float total, int64_t head_dim,
                     float* into_sums, float* into_maximum, float* into_total) {
  const float new_maximum = std::max(*into_maximum, maximum);
  const float keep = MergeWeight(*into_maximum, new_maximum);
  const float add = MergeWeight(maximum, new_maximum);
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes) {
    Store(into_sums + d, MulAdd(Load(sums + d), Set(add), Load(into_sums + d) * Set(keep)));
  }
  if (d < head_dim) {
    const int64_t n = head_dim - d;
    StoreFirst(into_sums + d,
               MulAdd(LoadFirst(sums + d, n), Set(add), LoadFirst(into_sums + d, n) * Set(keep)),
               n);
  }
  *into_total = __builtin_fmaf(total, add, *into_total * keep);
  *into_maximum = new_maximum;
}

// out = sums / total. Adding 0 turns a -0, which a skipped key would have turned, into 0.
inline void FinishRow(const float* sums, float total, int64_t head_dim, float* out) {
  const V inverse = Set(total == 0.0f ? 0.0f : 1.0f / total);
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes)
    Store(out + d, MulAdd(Load(sums + d), inverse, Zero()));
  if (d < head_dim) {
    StoreFirst(out + d, MulAdd(LoadFirst(sums + d, head_dim - d), inverse, Zero()), head_dim - d);
  }
}

// First half of a row's softmax: applies the scales of the keys and the mask to the scores, and
// returns their maximum.
template <bool kScaled, bool kMasked>
inline float MaximumOfRow(const PageBlock& block, KeyInterval seen, float* scores) {
  V maximum[2] = {Set(kEmpty), Set(kEmpty)};
  for (int64_t i = 0; i < block.count; ++i) {
    const float* key_scales =
        reinterpret_cast<const float*>(block.heads[i] + block.layout.scale_offset);
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

// Second half: weights (times the scales of the values), and the sum of the exponentials.
template <typename Path, bool kScaled>
inline float WeightsOfRow(const PageBlock& block, float maximum, float* scores, uint16_t* weights) {
  const V shift = Set(maximum == kEmpty ? 0.0f : maximum);
  V total[2] = {Zero(), Zero()};
  for (int64_t i = 0; i < block.count; ++i) {
    const float* value_scales =
        reinterpret_cast<const float*>(block.heads[i] + block.layout.scale_offset) + kPageTokens;
    for (int64_t v = 0; v < kPageTokens / kLanes; v += 2) {
      const int64_t at = i * kPageTokens + v * kLanes;
      V low = Path::Weight(Load(scores + at) - shift);
      V high = Path::Weight(Load(scores + at + kLanes) - shift);
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

// Turns a row's scores of a block into weights relative to the new running maximum; *keep is what
// the row's earlier sums shrink by. seen: keys that the row sees, relative to the block's first
// page.
template <typename Path, bool kScaled>
inline void SoftmaxRow(const PageBlock& block, KeyInterval seen, float* scores, uint16_t* weights,
                       float* maximum, float* total, float* keep) {
  const bool masked = seen.begin > 0 || seen.end < block.count * kPageTokens;
  const float of_block = masked ? MaximumOfRow<kScaled, true>(block, seen, scores)
                                : MaximumOfRow<kScaled, false>(block, seen, scores);
  const float new_maximum = std::max(*maximum, of_block);
  *keep = MergeWeight(*maximum * Path::kUnit, new_maximum * Path::kUnit);
  *maximum = new_maximum;
  *total = __builtin_fmaf(*total, *keep,
                          WeightsOfRow<Path, kScaled>(block, new_maximum, scores, weights));
}

// Asks for the i-th of n parts of the next block's pages, so that they come while this block is
// computed.
inline void PrefetchPart(const PageBlock& block, int64_t i, int64_t n) {
  constexpr int64_t kLine = 64;
  const int64_t lines = block.layout.scale_offset / kLine;  // of a page's K and V
  const int64_t end = block.next_count * lines * (i + 1) / n;
  for (int64_t line = block.next_count * lines * i / n; line < end; ++line) {
    _mm_prefetch(reinterpret_cast<const char*>(block.next[line / lines] + line % lines * kLine),
                 _MM_HINT_T1);
  }
}

// Which rows a call computes and where its results go. Heads [first_head, first_head + heads) read
// head kv_head of the pages.
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

// A (token, head) row of a call.
struct RowPlace {
  int64_t row;  // of the batch
  int64_t head;
};
inline RowPlace PlaceOf(const PagedCall& call, int64_t i) {
  return {call.row0 + i / call.heads, call.first_head + i % call.heads};
}
inline void Advance(const PagedCall& call, RowPlace* place) {
  if (++place->head == call.first_head + call.heads) {
    place->head = call.first_head;
    ++place->row;
  }
}

// Hands the queries of rows [begin, begin + rows) to the path and finds the keys that each sees;
// returns all those.
template <typename Path>
KeyInterval SetRows(const PagedCall& call, int64_t begin, int64_t rows, Path* path,
                    KeyInterval* seen) {
  const AttentionShape& shape = call.shape;
  KeyInterval any{std::numeric_limits<int64_t>::max(), 0};
  RowPlace place = PlaceOf(call, begin);
  for (int64_t r = 0; r < rows; ++r, Advance(call, &place)) {
    path->SetQuery(r, call.q + (place.row * shape.num_heads + place.head) * shape.head_dim);
    if (r > 0 && place.head != call.first_head) {
      seen[r] = seen[r - 1];
      continue;
    }
    seen[r] = VisibleKeysOfRow(shape, call.span, call.look_ahead, place.row);
    if (call.partial != nullptr) {
      seen[r] = {std::max(seen[r].begin, call.key0), std::min(seen[r].end, call.key1)};
    }
    if (seen[r].begin < seen[r].end) {
      any = {std::min(any.begin, seen[r].begin), std::max(any.end, seen[r].end)};
    }
  }
  path->Begin(rows);
  return any;
}

// The keys of one segment that lie in pages [page, end_page), into w->segment.
template <typename Path, bool kScaled>
void RunSegment(const PagedCall& call, int64_t page, int64_t end_page, int64_t last_page,
                int64_t rows, Path* path, Workspace* w) {
  PageBlock block;
  block.layout = KvLayoutOf(call.shape.kv_type, call.shape.head_dim);
  const auto head_of_page = [&](int64_t p) -> const uint8_t* {
    return call.span.kv.pages[p - call.span.kv.first_page] + call.kv_head * block.layout.head_bytes;
  };
  std::fill_n(w->segment.maximum, rows, kEmpty);
  std::fill_n(w->segment.total, rows, 0.0f);
  for (bool first = true; page < end_page; first = false) {
    const int64_t block_end = std::min(end_page, (page / kBlockPages + 1) * kBlockPages);
    block.count = block_end - page;
    for (int64_t i = 0; i < block.count; ++i) block.heads[i] = head_of_page(page + i);
    block.next_count = std::min(kBlockPages, last_page - block_end);
    for (int64_t i = 0; i < block.next_count; ++i) block.next[i] = head_of_page(block_end + i);
    path->Scores(block);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t key = page * kPageTokens;
      SoftmaxRow<Path, kScaled>(block, {w->seen[r].begin - key, w->seen[r].end - key},
                                w->scores + r * kBlockTokens, w->weights + r * kBlockTokens,
                                &w->segment.maximum[r], &w->segment.total[r], &w->keep[r]);
      if constexpr (!Path::kPrefetch) PrefetchPart(block, r, rows);
    }
    path->Values(block, first ? nullptr : w->keep, w->segment.sums);
    page = block_end;
  }
  for (int64_t r = 0; r < rows; ++r) w->segment.maximum[r] *= Path::kUnit;
}

// Rows [begin, begin + rows) of the call's (token, head) rows.
template <typename Path>
void RunRowBlock(const PagedCall& call, int64_t begin, int64_t rows, Workspace* w) {
  const AttentionShape& shape = call.shape;
  const int64_t head_dim = shape.head_dim;
  Path path(shape, *w);
  const KeyInterval any = SetRows(call, begin, rows, &path, w->seen);
  const int64_t last_page = RoundUp(any.end, kPageTokens) / kPageTokens;
  constexpr int64_t kSegmentPages = kSegmentTokens / kPageTokens;
  bool some = false;
  for (int64_t page = any.begin / kPageTokens; page < last_page;) {
    const int64_t end_page = std::min(last_page, (page / kSegmentPages + 1) * kSegmentPages);
    if (shape.kv_type == KvType::kI8) {
      RunSegment<Path, true>(call, page, end_page, last_page, rows, &path, w);
    } else {
      RunSegment<Path, false>(call, page, end_page, last_page, rows, &path, w);
    }
    if (!some) {
      std::swap(w->segment, w->all);
      some = true;
    } else {
      for (int64_t r = 0; r < rows; ++r) {
        MergeRow(w->segment.sums + r * w->stride, w->segment.maximum[r], w->segment.total[r],
                 head_dim, w->all.sums + r * w->stride, &w->all.maximum[r], &w->all.total[r]);
      }
    }
    page = end_page;
  }
  if (!some) {
    std::fill_n(w->all.sums, rows * w->stride, 0.0f);
    std::fill_n(w->all.maximum, rows, kEmpty);
    std::fill_n(w->all.total, rows, 0.0f);
  }
  RowPlace place = PlaceOf(call, begin);
  for (int64_t r = 0; r < rows; ++r, Advance(call, &place)) {
    const float* sums = w->all.sums + r * w->stride;
    if (call.partial != nullptr) {
      float* to = call.partial + (begin + r) * (head_dim + 2);
      __builtin_memcpy(to, sums, static_cast<size_t>(head_dim) * sizeof(float));
      to[head_dim] = w->all.maximum[r];
      to[head_dim + 1] = w->all.total[r];
      continue;
    }
    const int64_t at = place.row * shape.num_heads + place.head;
    FinishRow(sums, w->all.total[r], head_dim, call.out + at * head_dim);
    if (call.lse != nullptr) call.lse[at] = w->all.maximum[r] + std::log(w->all.total[r]);
  }
}

template <typename Path>
void RunPaged(const PagedCall& call, void* scratch) {
  const int64_t rows = (call.row1 - call.row0) * call.heads;
  Workspace workspace;
  LayOut(call.shape.head_dim, std::min(rows, Path::kRowBlock), static_cast<uint8_t*>(scratch),
         &workspace);
  for (int64_t begin = 0; begin < rows; begin += Path::kRowBlock) {
    RunRowBlock<Path>(call, begin, std::min(Path::kRowBlock, rows - begin), &workspace);
  }
}

inline PagedCall MakeCall(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                          const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1,
                          int64_t key0, int64_t key1, float* partial, float* out) {
  const int64_t heads = shape.num_heads / shape.num_kv_heads;
  return {shape, span, q,    look_ahead, g * heads, heads, g,
          row0,  row1, key0, key1,       partial,   out,   nullptr};
}
