// Plain structs of the attention kernels: the paged cache layout and the mask. Shapes: T tokens, H query heads, G key/value
// heads (H % G == 0), D head_dim (even).
#pragma once

#include <cstdint>

namespace galen {

inline constexpr int64_t kPageTokens = 32;  // tokens a KV page holds

// Element type of the cache. int8 keeps one float scale per token and head for K and one for V.
enum class KvType : uint8_t { kF32, kBf16, kF16, kI8 };

// A page of one layer holds, for each of G heads in turn:
//   K  [2 groups of 16 tokens][D / 2][16 tokens][2]   pairs of features of one token adjacent (bf16 dot products over D)
//   V  [16 pairs of tokens][D][2]                     pairs of tokens adjacent (bf16 dot products over tokens)
//   int8 only: float k_scale[32], float v_scale[32]
int64_t KvPageBytes(KvType type, int64_t num_kv_heads, int64_t head_dim);

// One sequence's cache of one layer. Token position p lies in pages[p / kPageTokens - first_page], slot p % kPageTokens.
// Sliding-window layers drop pages from the front: positions before first_page * kPageTokens are not there.
struct KvPages {
  uint8_t* const* pages = nullptr;  // page base addresses of this layer
  int64_t first_page = 0;
};

// The queries of one sequence inside a flat batch: rows [begin, end) at positions position, position + 1, ...
struct AttentionSpan {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t position = 0;
  KvPages kv;  // paged form only
};

struct AttentionShape {
  int64_t num_heads = 0;      // H
  int64_t num_kv_heads = 0;   // G
  int64_t head_dim = 0;       // D
  float scale = 1.0f;         // multiplies q.k
  int64_t window = 0;         // 0: none; else key j is seen from position p only if p - j < window
  KvType kv_type = KvType::kBf16;
};

// Mask: the query at position p sees key j if j <= max(p, look_ahead(p)) and (window == 0 or p - j < window).
// look_ahead: null (causal), or for each row of the flat batch the last position that it may see (image spans).

}  // namespace galen
