// Paged attention on AMX tiles. A K page is a stack of B tiles as it lies in memory (16 pairs of
// features x 16 tokens), a V page too (16 pairs of tokens x 16 features). The tile configuration
// belongs to the thread: it is loaded for each row block and released after it.

#if defined(__x86_64__)

// GCC 12 warns about the undefined pass-through operand inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention_mask.h"
#include "kernels/x86/attention.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")

namespace galen {
namespace {

#include "kernels/x86/simd_avx512-inl.h"

#include "kernels/x86/exp-inl.h"

#include "kernels/x86/attention_paged-inl.h"

#include "kernels/x86/attention_bf16-inl.h"

// GCC 12's tile loads do not tell the compiler that they read memory.
inline void FinishStores() { asm volatile("" ::: "memory"); }

inline int64_t LargestDivisor(int64_t n, int64_t limit) {
  for (int64_t divisor = std::min(n, limit); divisor > 1; --divisor) {
    if (n % divisor == 0) return divisor;
  }
  return 1;
}

// Tiles 0-3 hold sums, 4-5 A (rows of queries or weights), 6-7 B (keys or values).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  // A: a_rows x inner pairs; B: inner rows x columns (of 4 bytes).
  void Set(int64_t a_rows, int64_t inner, int64_t columns) {
    for (int tile = 0; tile < 8; ++tile) {
      rows[tile] = static_cast<uint8_t>(tile < 6 ? a_rows : inner);
      row_bytes[tile] = static_cast<uint16_t>(4 * (tile == 4 || tile == 5 ? inner : columns));
    }
  }
};
static_assert(sizeof(TileConfig) == 64);

class AmxPath : public Bf16Operands {
 public:
  static constexpr int64_t kRowBlock = 128;

  AmxPath(const AttentionShape& shape, const Workspace& w)
      : Bf16Operands(shape, w),
        pairs_(LargestDivisor(shape.head_dim / 2, 16)),
        columns_(LargestDivisor(shape.head_dim, 16)) {}
  ~AmxPath() { _tile_release(); }

  // Tiles are exact fractions of D: worth it unless these are slivers.
  static bool Takes(int64_t head_dim) {
    return LargestDivisor(head_dim / 2, 16) >= 8 && LargestDivisor(head_dim, 16) >= 8;
  }

  void SetQuery(int64_t row, const float* q) { SetBf16Query(row, q); }

  void Begin(int64_t rows) {
    rows_ = rows;
    const int64_t a_rows = std::min<int64_t>(rows, 16);
    scores_config_.Set(a_rows, pairs_, 16);
    values_config_.Set(a_rows, 16, columns_);
    reconfigure_ = pairs_ != 16 || columns_ != 16;
    _tile_loadconfig(&scores_config_);
  }

  void Scores(const PageBlock& block) {
    if (reconfigure_) _tile_loadconfig(&scores_config_);
    for (int64_t i = 0; i < block.count; ++i) {
      const uint16_t* keys = Keys(block.heads[i]);
      FinishStores();
      int64_t row = 0;
      for (; row + 16 < rows_; row += 32) ScoresOf32(keys, row, w_.scores + i * kPageTokens);
      if (row < rows_) ScoresOf16(keys, row, w_.scores + i * kPageTokens);
    }
    FinishStores();
  }

  void Values(const PageBlock& block, const float* keep, float* sums) {
    const uint16_t* values[kBlockPages];
    for (int64_t i = 0; i < block.count; ++i) values[i] = Bf16Operands::Values(block, i);
    if (reconfigure_) _tile_loadconfig(&values_config_);
    for (int64_t d = 0; d < shape_.head_dim; d += 2 * columns_) {
      const bool two = d + columns_ < shape_.head_dim;
      for (int64_t row = 0; row < rows_; row += 32) {
        // The first block's sums are stored where they belong; others pass through `added`.
        alignas(64) float added[32 * 32];
        float* to = keep == nullptr ? sums + row * w_.stride + d : added;
        const int64_t stride = keep == nullptr ? w_.stride : 32;
        FinishStores();
        if (row + 16 < rows_)
          ValuesOf32(values, block.count, row, d, two, to, stride);
        else
          ValuesOf16(values, block.count, row, d, two, to, stride);
        FinishStores();
        if (keep == nullptr) continue;
        const int64_t end = std::min<int64_t>(rows_, row + 32);
        for (int64_t r = row; r < end; ++r) {
          AddKept(added + (r - row) * 32, keep[r], two ? 2 * columns_ : columns_,
                  sums + r * w_.stride + d);
        }
      }
    }
  }

 private:
  // sums = sums * keep + added
  static void AddKept(const float* added, float keep, int64_t n, float* sums) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
      Store(sums + i, MulAdd(Load(sums + i), Set(keep), Load(added + i)));
    if (i < n)
      StoreFirst(sums + i,
                 MulAdd(LoadFirst(sums + i, n - i), Set(keep), LoadFirst(added + i, n - i)), n - i);
  }

  // 32 or 16 query rows x 32 keys.
  void ScoresOf32(const uint16_t* keys, int64_t row, float* scores) const {
    const int64_t head_dim = shape_.head_dim;
    const uint16_t* q = query() + row * head_dim;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t pair = 0; pair < head_dim / 2; pair += pairs_) {
      _tile_loadd(4, q + 2 * pair, head_dim * 2);
      _tile_loadd(6, keys + pair * 32, 64);
      _tile_loadd(7, keys + (head_dim / 2 + pair) * 32, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, q + 16 * head_dim + 2 * pair, head_dim * 2);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    float* to = scores + row * kBlockTokens;
    _tile_stored(0, to, kBlockTokens * 4);
    _tile_stored(1, to + 16, kBlockTokens * 4);
    _tile_stored(2, to + 16 * kBlockTokens, kBlockTokens * 4);
    _tile_stored(3, to + 16 * kBlockTokens + 16, kBlockTokens * 4);
  }

  void ScoresOf16(const uint16_t* keys, int64_t row, float* scores) const {
    const int64_t head_dim = shape_.head_dim;
    const uint16_t* q = query() + row * head_dim;
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t pair = 0; pair < head_dim / 2; pair += pairs_) {
      _tile_loadd(4, q + 2 * pair, head_dim * 2);
      _tile_loadd(6, keys + pair * 32, 64);
      _tile_loadd(7, keys + (head_dim / 2 + pair) * 32, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    }
    float* to = scores + row * kBlockTokens;
    _tile_stored(0, to, kBlockTokens * 4);
    _tile_stored(1, to + 16, kBlockTokens * 4);
  }

  // 32 or 16 rows x columns_ features from d on, or twice as many; the sums of all pages stay in
  // tiles.
  void ValuesOf32(const uint16_t* const* values, int64_t pages, int64_t row, int64_t d, bool two,
                  float* to, int64_t stride) const {
    const uint16_t* weights = w_.weights + row * kBlockTokens;
    const int64_t line = shape_.head_dim * 4;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < pages; ++i) {
      _tile_loadd(4, weights + i * kPageTokens, kBlockTokens * 2);
      _tile_loadd(5, weights + 16 * kBlockTokens + i * kPageTokens, kBlockTokens * 2);
      _tile_loadd(6, values[i] + d * 2, line);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(2, 5, 6);
      if (two) {
        _tile_loadd(7, values[i] + (d + columns_) * 2, line);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    _tile_stored(0, to, stride * 4);
    _tile_stored(2, to + 16 * stride, stride * 4);
    if (two) {
      _tile_stored(1, to + columns_, stride * 4);
      _tile_stored(3, to + 16 * stride + columns_, stride * 4);
    }
  }

  void ValuesOf16(const uint16_t* const* values, int64_t pages, int64_t row, int64_t d, bool two,
                  float* to, int64_t stride) const {
    const uint16_t* weights = w_.weights + row * kBlockTokens;
    const int64_t line = shape_.head_dim * 4;
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t i = 0; i < pages; ++i) {
      _tile_loadd(4, weights + i * kPageTokens, kBlockTokens * 2);
      _tile_loadd(6, values[i] + d * 2, line);
      _tile_dpbf16ps(0, 4, 6);
      if (two) {
        _tile_loadd(7, values[i] + (d + columns_) * 2, line);
        _tile_dpbf16ps(1, 4, 7);
      }
    }
    _tile_stored(0, to, stride * 4);
    if (two) _tile_stored(1, to + columns_, stride * 4);
  }

  const int64_t pairs_;    // pairs of features in a B tile of keys
  const int64_t columns_;  // features in a B tile of values
  int64_t rows_ = 0;
  bool reconfigure_ = false;
  TileConfig scores_config_;
  TileConfig values_config_;
};

void PagedAttention(const AttentionShape& shape, const AttentionSpan& span, const float* q,
                    const int32_t* look_ahead, int64_t g, int64_t row0, int64_t row1, int64_t key0,
                    int64_t key1, float* partial, float* out, void* scratch) {
  if (shape.kv_type == KvType::kF32 || (!shape.invariant && row1 - row0 <= kFewRows)) {
    return PagedAttentionAvx512(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial, out,
                                scratch);
  }
  if (!AmxPath::Takes(shape.head_dim)) {
    return PagedAttentionAvx512Bf16(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial,
                                    out, scratch);
  }
  RunPaged<AmxPath>(MakeCall(shape, span, q, look_ahead, g, row0, row1, key0, key1, partial, out),
                    scratch);
}

}  // namespace

void AddAmxAttention(KernelTable* table) { table->paged_attention = PagedAttention; }

}  // namespace galen

#pragma GCC pop_options

#endif
