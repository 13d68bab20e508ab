// Attention of encoders on AMX tiles: 32 queries at a time, whose scores of a block of keys and
// weighted sums of values are products of tiles; weights between them in vectors along the keys.
#if defined(__x86_64__)

// GCC 12 warns about the undefined pass-through operand inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/x86/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")

namespace galen {
namespace {

#include "kernels/x86/simd_avx512-inl.h"
#include "kernels/x86/encoder_attention-inl.h"
#include "kernels/x86/amx_micro-inl.h"

constexpr int64_t kQueries = 32;     // of a block: two tiles of rows
constexpr int64_t kKeyBlock = 128;   // keys whose scores are kept at once: 16 KiB
constexpr int64_t kTileWords = 512;  // bf16 values of a tile

// Sizes of one head, in whole pairs of tiles.
struct Extent {
  int64_t chunks;    // of 32 dimensions, in which keys meet queries
  int64_t features;  // of values, to 32
  int64_t tokens;    // to 32
};

Extent ExtentOf(int64_t head_dim, int64_t tokens) {
  return {RoundUp(head_dim, 32) / 32, RoundUp(head_dim, 32), RoundUp(tokens, 32)};
}

struct Workspace {
  uint16_t* keys;     // [units of 16 keys][chunks][16 pairs of dimensions][16 keys][2]
  uint16_t* values;   // [units of 16 features][chunks of 32 keys][16 pairs of keys][16][2]
  uint16_t* query;    // [kQueries][chunks * 32] as RowTiles places it, scaled
  uint16_t* weights;  // [kQueries][kKeyBlock] as RowTiles places it
  float* scores;      // [kQueries][kKeyBlock]
  float* sums;        // [kQueries][features]
  float* totals;      // [kQueries][16]: sums of weights, lane by lane
};

int64_t LayOut(const Extent& e, uint8_t* base, Workspace* w) {
  uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(base), 64));
  uint8_t* const start = at;
  const auto take = [&at](int64_t bytes) {
    uint8_t* taken = at;
    at += RoundUp(bytes, 64);
    return taken;
  };
  w->keys = reinterpret_cast<uint16_t*>(take(e.tokens * e.chunks * 32 * 2));
  w->values = reinterpret_cast<uint16_t*>(take(e.tokens * e.features * 2));
  w->query = reinterpret_cast<uint16_t*>(take(kQueries * e.chunks * 32 * 2));
  w->weights = reinterpret_cast<uint16_t*>(take(kQueries * kKeyBlock * 2));
  w->scores = reinterpret_cast<float*>(take(kQueries * kKeyBlock * 4));
  w->sums = reinterpret_cast<float*>(take(kQueries * e.features * 4));
  w->totals = reinterpret_cast<float*>(take(kQueries * kLanes * 4));
  return at - start + 64;
}

int64_t ScratchBytes(const EncoderAttentionShape& shape, int64_t tokens) {
  Workspace w;
  return LayOut(ExtentOf(shape.head_dim, tokens), nullptr, &w);
}

// k, v: the head's first row of the segment.
void PackKeysAndValues(const float* k, const float* v, int64_t stride, int64_t tokens,
                       int64_t head_dim, const Extent& e, const Workspace& w) {
  std::memset(w.keys, 0, static_cast<size_t>(e.tokens * e.chunks * 32 * 2));
  const int64_t pairs = head_dim / 2;
  for (int64_t t = 0; t < tokens; ++t) {
    uint16_t* row = w.query;  // not yet in use
    RoundRow(k + t * stride, 1.0f, head_dim, row);
    uint16_t* unit = w.keys + t / 16 * e.chunks * kTileWords;
    for (int64_t p = 0; p < pairs; ++p)
      std::memcpy(unit + p * 32 + t % 16 * 2, row + 2 * p, sizeof(uint32_t));
  }
  for (int64_t d = 0; d < e.features; d += kLanes) {
    const int64_t count = std::clamp<int64_t>(head_dim - d, 0, kLanes);
    uint16_t* unit = w.values + d / 16 * (e.tokens / 32) * kTileWords;
    for (int64_t t = 0; t < e.tokens; t += 2) {
      const V even = t < tokens ? LoadFirst(v + t * stride + d, count) : Zero();
      const V odd = t + 1 < tokens ? LoadFirst(v + (t + 1) * stride + d, count) : Zero();
      _mm512_storeu_si512(unit + t * 16, RoundPairs(even, odd));
    }
  }
}

void PackQueries(const float* q, int64_t stride, int64_t queries, int64_t head_dim, float scale,
                 const Extent& e, const Workspace& w) {
  const int64_t width = e.chunks * 32;
  std::memset(w.query, 0, static_cast<size_t>(kQueries * width * 2));
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t d = 0; d < head_dim; d += 32)
      RoundRow(q + i * stride + d, scale, std::min<int64_t>(32, head_dim - d),
               RowTiles::Values(w.query, i, d, width));
  }
}

inline V LargestOf(const float* scores, int64_t count) {
  V largest = Set(-std::numeric_limits<float>::infinity());
  for (int64_t j = 0; j < count; j += kLanes) {
    const __mmask16 mask = FirstLanes(std::min(kLanes, count - j));
    largest = _mm512_mask_max_ps(largest, mask, largest, Load(scores + j));
  }
  return largest;
}

// Weights 2^(score - reference) of the first `count` keys of a row; those of the others are 0. They
// go to the row's places in its tiles.
// Returns their sums, lane by lane.
inline V WeighRow(const float* scores, int64_t count, float reference, uint16_t* weights) {
  V total = Zero();
  const V from = Set(reference);
  const int64_t whole = count / 32 * 32;
  for (int64_t j = 0; j < whole; j += 32) {
    const V low = PowerOfTwo(Load(scores + j) - from);
    const V high = PowerOfTwo(Load(scores + j + kLanes) - from);
    total = total + (low + high);
    _mm512_storeu_si512(weights + j / 32 * kTileWords, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  if (whole < count) {
    const __mmask16 first = FirstLanes(std::min(kLanes, count - whole));
    const __mmask16 second = FirstLanes(std::clamp<int64_t>(count - whole - kLanes, 0, kLanes));
    const V low = _mm512_maskz_mov_ps(first, PowerOfTwo(Load(scores + whole) - from));
    const V high = _mm512_maskz_mov_ps(second, PowerOfTwo(Load(scores + whole + kLanes) - from));
    total = total + (low + high);
    _mm512_storeu_si512(weights + whole / 32 * kTileWords, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  return total;
}

// A row's score is so far above its reference that its weight may be infinite: the reference
// becomes the largest score, and what was summed before is scaled to it. Other rows keep theirs.
void RaiseReference(float largest, int64_t features, float* reference, float* sums, float* total) {
  const V keep = PowerOfTwo(Set(*reference - largest));
  *reference = largest;
  Store(total, Load(total) * keep);
  for (int64_t d = 0; d < features; d += kLanes) Store(sums + d, Load(sums + d) * keep);
}

// One block of queries over all keys of the segment.
void AttendBlock(int64_t queries, int64_t tokens, const Extent& e, const Workspace& w) {
  float reference[kQueries];
  std::memset(w.sums, 0, static_cast<size_t>(kQueries * e.features) * sizeof(float));
  std::memset(w.totals, 0, static_cast<size_t>(kQueries * kLanes) * sizeof(float));
  std::memset(w.weights, 0, static_cast<size_t>(kQueries * kKeyBlock) * sizeof(uint16_t));
  const int64_t unit = e.chunks * kTileWords, panel = e.tokens / 32 * kTileWords;
  for (int64_t j = 0; j < tokens; j += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, tokens - j), padded = RoundUp(count, 32);
    for (int64_t t = 0; t < padded; t += 32) {
      Micro32(w.query, e.chunks * 32, w.keys + (j + t) / 16 * unit, unit, e.chunks, true,
              w.scores + t, kKeyBlock);
    }
    for (int64_t i = 0; i < queries; ++i) {
      const float* scores = w.scores + i * kKeyBlock;
      float* total = w.totals + i * kLanes;
      const float largest = _mm512_reduce_max_ps(LargestOf(scores, count));
      if (j == 0) reference[i] = largest;
      if (largest > reference[i] + kSlack)
        RaiseReference(largest, e.features, &reference[i], w.sums + i * e.features, total);
      Store(total, Load(total) + WeighRow(scores, count, reference[i],
                                          RowTiles::Values(w.weights, i, 0, kKeyBlock)));
    }
    for (int64_t d = 0; d < e.features; d += 32) {
      Micro32(w.weights, kKeyBlock, w.values + d / 16 * panel + j / 32 * kTileWords, panel,
              padded / 32, false, w.sums + d, e.features);
    }
  }
}

void WriteRows(int64_t queries, int64_t head_dim, const Extent& e, const Workspace& w, float* out,
               int64_t stride) {
  for (int64_t i = 0; i < queries; ++i) {
    const V inverse = Set(1.0f / _mm512_reduce_add_ps(Load(w.totals + i * kLanes)));
    for (int64_t d = 0; d < head_dim; d += kLanes) {
      StoreFirst(out + i * stride + d, Load(w.sums + i * e.features + d) * inverse,
                 std::min(kLanes, head_dim - d));
    }
  }
}

void EncoderAttentionAmx(const EncoderAttentionShape& shape, const float* q, const float* k,
                         const float* v, int64_t begin, int64_t end, int64_t h, int64_t row0,
                         int64_t row1, float* out, void* scratch) {
  const TileConfig session;
  const int64_t tokens = end - begin, head_dim = shape.head_dim;
  const Extent e = ExtentOf(head_dim, tokens);
  Workspace w;
  LayOut(e, static_cast<uint8_t*>(scratch), &w);
  const int64_t stride = shape.num_heads * head_dim, head = h * head_dim;
  PackKeysAndValues(k + begin * stride + head, v + begin * stride + head, stride, tokens, head_dim,
                    e, w);
  for (int64_t row = row0; row < row1; row += kQueries) {
    const int64_t queries = std::min(kQueries, row1 - row);
    PackQueries(q + row * stride + head, stride, queries, head_dim, shape.scale * kLog2E, e, w);
    AttendBlock(queries, tokens, e, w);
    WriteRows(queries, head_dim, e, w, out + row * stride + head, stride);
  }
}

}  // namespace

void AddAmxEncoderAttention(KernelTable* table) {
  table->encoder_attention = EncoderAttentionAmx;
  table->encoder_attention_scratch_bytes = ScratchBytes;
}

}  // namespace galen

#pragma GCC pop_options

#endif
