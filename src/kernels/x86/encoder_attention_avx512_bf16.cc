// Attention of encoders with bf16 dot products. A lane is a query: scores of a key and sums of a
// feature are vectors over queries, so that maxima, sums and weights need no work across lanes and
// no head dimension leaves lanes idle. Keys and values are broadcast in pairs.
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
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

namespace galen {
namespace {

#include "kernels/x86/bf16_tile-inl.h"
#include "kernels/x86/simd_avx512-inl.h"
#include "kernels/x86/encoder_attention-inl.h"

constexpr int kTile = 8;  // keys, or features, of a tile: x 3 vectors of queries = 24 sums
constexpr int64_t kMaxVectors = 3;  // of queries in a block
constexpr int64_t kKeyBlock = 128;  // keys whose weights are kept at once: 12 KiB

struct Workspace {
  uint16_t* keys;     // [keys, to whole tiles][D]
  uint16_t* values;   // [pairs of keys][D, to whole tiles][2]
  uint16_t* rows;     // [queries of a block][D], scaled
  uint16_t* query;    // [D / 2][vectors][16][2]
  uint16_t* weights;  // [kKeyBlock / 2][vectors][16][2]
  float* sums;        // [D, to whole tiles][vectors][16]
};

int64_t LayOut(int64_t head_dim, int64_t tokens, uint8_t* base, Workspace* w) {
  uint8_t* at = reinterpret_cast<uint8_t*>(RoundUp(reinterpret_cast<int64_t>(base), 64));
  uint8_t* const start = at;
  const auto take = [&at](int64_t bytes) {
    uint8_t* taken = at;
    at += RoundUp(bytes, 64);
    return taken;
  };
  const int64_t queries = kMaxVectors * kLanes, features = RoundUp(head_dim, kTile);
  w->keys = reinterpret_cast<uint16_t*>(take(RoundUp(tokens, kTile) * head_dim * 2));
  w->values = reinterpret_cast<uint16_t*>(take(RoundUp(tokens, 2) * features * 2));
  w->rows = reinterpret_cast<uint16_t*>(take(queries * head_dim * 2));
  w->query = reinterpret_cast<uint16_t*>(take(queries * head_dim * 2));
  w->weights = reinterpret_cast<uint16_t*>(take(kKeyBlock * queries * 2));
  w->sums = reinterpret_cast<float*>(take(features * queries * 4));
  return at - start + 64;
}

int64_t ScratchBytes(const EncoderAttentionShape& shape, int64_t tokens) {
  Workspace w;
  return LayOut(shape.head_dim, tokens, nullptr, &w);
}

// ---- operands

void PackKeysAndValues(const float* k, const float* v, int64_t stride, int64_t tokens,
                       int64_t head_dim, const Workspace& w) {
  for (int64_t t = 0; t < tokens; ++t) {
    RoundRow(k + t * stride, 1.0f, head_dim, w.keys + t * head_dim);
  }
  const int64_t padding = RoundUp(tokens, kTile) - tokens;
  std::memset(w.keys + tokens * head_dim, 0, static_cast<size_t>(padding * head_dim * 2));
  const int64_t features = RoundUp(head_dim, kTile);
  for (int64_t t = 0; t < tokens; t += 2) {
    const float* even = v + t * stride;
    uint16_t* to = w.values + t * features;
    for (int64_t d = 0; d < features; d += kLanes) {
      const int64_t count = std::clamp<int64_t>(head_dim - d, 0, kLanes);
      const V odd = t + 1 < tokens ? LoadFirst(even + stride + d, count) : Zero();
      _mm512_mask_storeu_epi32(to + 2 * d, FirstLanes(std::min(kLanes, features - d)),
                               RoundPairs(LoadFirst(even + d, count), odd));
    }
  }
}

template <int kVectors>
void PackQueries(const float* q, int64_t stride, int64_t queries, int64_t head_dim, float scale,
                 const Workspace& w) {
  for (int64_t i = 0; i < queries; ++i) {
    RoundRow(q + i * stride, scale, head_dim, w.rows + i * head_dim);
  }
  const int64_t padding = kVectors * kLanes - queries;
  std::memset(w.rows + queries * head_dim, 0, static_cast<size_t>(padding * head_dim * 2));
  const int64_t pairs = head_dim / 2;
  const __m512i lanes =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(static_cast<int>(pairs)));
  for (int64_t p = 0; p < pairs; ++p) {
    for (int64_t i = 0; i < kVectors; ++i) {
      const uint16_t* from = w.rows + i * kLanes * head_dim + 2 * p;
      _mm512_storeu_si512(w.query + (p * kVectors + i) * 2 * kLanes,
                          _mm512_i32gather_epi32(lanes, from, 4));
    }
  }
}

// ---- products

// What has been summed for a block of queries.
template <int kVectors>
struct Running {
  V reference[kVectors];  // scores count from here
  V totals[kVectors];     // sums of weights
  V largest[kVectors];    // scores of the last block of keys
};

// A tile of keys: from here on, the first `valid` of kTile.
template <int kVectors>
__attribute__((always_inline)) inline void ScoreTile(const uint16_t* keys, int64_t head_dim,
                                                     const Workspace& w,
                                                     Bf16Tile<kTile, kVectors>* tile) {
  tile->ForEach([](int, int, V& sum) { sum = Zero(); });
  tile->Multiply(keys, head_dim, 2, w.query, 32, kVectors * 32, head_dim / 2);
}

// Takes the largest of the first few scores for a reference.
template <int kVectors>
void Begin(const uint16_t* keys, int64_t valid, int64_t head_dim, const Workspace& w,
           Running<kVectors>* run) {
  Bf16Tile<kTile, kVectors> tile;
  ScoreTile<kVectors>(keys, head_dim, w, &tile);
  for (V& v : run->reference) v = Set(-std::numeric_limits<float>::infinity());
  for (V& v : run->totals) v = Zero();
  tile.ForEach([&](int r, int i, V& sum) {
    if (r < valid) run->reference[i] = MaxOrSecond(run->reference[i], sum);
  });
}

// Weights 2^(score - reference) of a tile into `to`, as pairs of keys. The weights of one tile are
// worked out while the products of the next one run.
template <bool kWhole, int kVectors>
__attribute__((always_inline)) inline void WeighTile(Bf16Tile<kTile, kVectors>& tile, int64_t valid,
                                                     uint16_t* to, Running<kVectors>* run) {
#pragma GCC unroll 8
  for (int r = 0; r < kTile; r += 2) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      V low = tile.sums[r][i], high = tile.sums[r + 1][i];
      if (kWhole || r < valid) run->largest[i] = MaxOrSecond(run->largest[i], low);
      if (kWhole || r + 1 < valid) run->largest[i] = MaxOrSecond(run->largest[i], high);
      low = kWhole || r < valid ? PowerOfTwo(low - run->reference[i]) : Zero();
      high = kWhole || r + 1 < valid ? PowerOfTwo(high - run->reference[i]) : Zero();
      run->totals[i] = run->totals[i] + (low + high);
      _mm512_storeu_si512(to + (r / 2 * kVectors + i) * 2 * kLanes, RoundPairs(low, high));
    }
  }
}

template <int kVectors>
void Weigh(const uint16_t* keys, int64_t count, int64_t head_dim, const Workspace& w,
           Running<kVectors>* result) {
  Running<kVectors> run = *result;  // in registers
  for (V& v : run.largest) v = Set(-std::numeric_limits<float>::infinity());
  for (int64_t j = 0; j < count; j += kTile) {
    Bf16Tile<kTile, kVectors> tile;
    ScoreTile<kVectors>(keys + j * head_dim, head_dim, w, &tile);
    uint16_t* to = w.weights + j * kVectors * kLanes;
    if (j + kTile <= count) {
      WeighTile<true>(tile, kTile, to, &run);
    } else {
      WeighTile<false>(tile, count - j, to, &run);
    }
  }
  *result = run;
}

// Whether a score of the last block is so far above its reference that its weight may be infinite.
// Then that query's reference becomes its largest score, and what was summed for it before,
// `before` this block, is scaled to it. Other queries keep theirs: results do not depend on who
// shares a block.
template <int kVectors>
bool RaiseReferences(const Running<kVectors>& before, int64_t features, const Workspace& w,
                     Running<kVectors>* run) {
  __mmask16 raised[kVectors];
  bool any = false;
  for (int i = 0; i < kVectors; ++i) {
    const V limit = run->reference[i] + Set(kSlack);
    raised[i] = _mm512_cmp_ps_mask(run->largest[i], limit, _CMP_GT_OQ);
    any |= raised[i] != 0;
  }
  if (!any) return false;
  for (int i = 0; i < kVectors; ++i) {
    const V scaled = PowerOfTwo(before.reference[i] - run->largest[i]);
    const V keep = _mm512_mask_blend_ps(raised[i], Set(1.0f), scaled);
    run->reference[i] = _mm512_mask_blend_ps(raised[i], before.reference[i], run->largest[i]);
    run->totals[i] = before.totals[i] * keep;
    for (int64_t d = 0; d < features; ++d) {
      float* at = w.sums + (d * kVectors + i) * kLanes;
      Store(at, Load(at) * keep);
    }
  }
  return true;
}

template <int kVectors>
void AddValues(const uint16_t* values, int64_t count, int64_t features, const Workspace& w) {
  for (int64_t d = 0; d < features; d += kTile) {
    float* at = w.sums + d * kVectors * kLanes;
    Bf16Tile<kTile, kVectors> tile;
    tile.ForEach([at](int r, int i, V& sum) { sum = Load(at + (r * kVectors + i) * kLanes); });
    tile.Multiply(values + 2 * d, 2, 2 * features, w.weights, 32, kVectors * 32, (count + 1) / 2);
    tile.ForEach([at](int r, int i, V& sum) { Store(at + (r * kVectors + i) * kLanes, sum); });
  }
}

// Rows of `out` = sums / totals.
template <int kVectors>
void WriteRows(const V (&totals)[kVectors], int64_t queries, int64_t head_dim, const Workspace& w,
               float* out, int64_t stride) {
  alignas(64) float inverse[kVectors * kLanes];
#pragma GCC unroll 3
  for (int i = 0; i < kVectors; ++i) Store(inverse + i * kLanes, Set(1.0f) / totals[i]);
  const __m512i lanes =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(static_cast<int>(kVectors * kLanes)));
  for (int64_t q = 0; q < queries; ++q) {
    for (int64_t d = 0; d < head_dim; d += kLanes) {
      const int64_t n = std::min(kLanes, head_dim - d);
      const float* from = w.sums + d * kVectors * kLanes + q;
      const V x = _mm512_mask_i32gather_ps(Zero(), FirstLanes(n), lanes, from, 4);
      StoreFirst(out + q * stride + d, x * Set(inverse[q]), n);
    }
  }
}

// One block of queries over all keys of the segment.
template <int kVectors>
void AttendBlock(const float* q, int64_t stride, int64_t queries, int64_t tokens, int64_t head_dim,
                 float scale, const Workspace& w, float* out) {
  const int64_t features = RoundUp(head_dim, kTile);
  PackQueries<kVectors>(q, stride, queries, head_dim, scale, w);
  std::memset(w.sums, 0, static_cast<size_t>(features * kVectors * kLanes) * sizeof(float));
  Running<kVectors> run;
  Begin<kVectors>(w.keys, tokens, head_dim, w, &run);
  for (int64_t j = 0; j < tokens; j += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, tokens - j);
    const Running<kVectors> before = run;
    Weigh<kVectors>(w.keys + j * head_dim, count, head_dim, w, &run);
    if (RaiseReferences<kVectors>(before, features, w, &run)) {
      Weigh<kVectors>(w.keys + j * head_dim, count, head_dim, w, &run);
    }
    AddValues<kVectors>(w.values + j * features, count, features, w);
  }
  WriteRows<kVectors>(run.totals, queries, head_dim, w, out, stride);
}

void EncoderAttentionBf16(const EncoderAttentionShape& shape, const float* q, const float* k,
                          const float* v, int64_t begin, int64_t end, int64_t h, int64_t row0,
                          int64_t row1, float* out, void* scratch) {
  Workspace w;
  LayOut(shape.head_dim, end - begin, static_cast<uint8_t*>(scratch), &w);
  const int64_t stride = shape.num_heads * shape.head_dim, head = h * shape.head_dim;
  const int64_t tokens = end - begin;
  PackKeysAndValues(k + begin * stride + head, v + begin * stride + head, stride, tokens,
                    shape.head_dim, w);
  // Blocks of about equal size, in whole vectors.
  const int64_t vectors = (row1 - row0 + kLanes - 1) / kLanes;
  const int64_t blocks = (vectors + kMaxVectors - 1) / kMaxVectors;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = vectors * b / blocks, last = vectors * (b + 1) / blocks;
    const int64_t row = row0 + first * kLanes;
    const int64_t queries = std::min(row1 - row, (last - first) * kLanes);
    const auto attend = [&](auto block) {
      block(q + row * stride + head, stride, queries, tokens, shape.head_dim, shape.scale * kLog2E,
            w, out + row * stride + head);
    };
    switch (last - first) {
      case 1:
        attend(AttendBlock<1>);
        break;
      case 2:
        attend(AttendBlock<2>);
        break;
      default:
        attend(AttendBlock<3>);
        break;
    }
  }
}

}  // namespace

void AddAvx512Bf16EncoderAttention(KernelTable* table) {
  table->encoder_attention = EncoderAttentionBf16;
  table->encoder_attention_scratch_bytes = ScratchBytes;
}

}  // namespace galen

#pragma GCC pop_options

#endif
