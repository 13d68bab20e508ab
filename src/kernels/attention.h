// Plain structs of the attention kernels: the paged cache layout and the mask. Shapes: T tokens, H
// query heads, G key/value heads (H % G == 0), D head_dim (even).
#pragma once

#include <cstdint>

namespace galen {

inline constexpr int64_t kPageTokens = 32;  // tokens a KV page holds

// Keys are summed up in segments of this many positions (aligned to it); a call over more keys
// merges its segments with the arithmetic of merge_partials. So a call over all keys gives the same
// bits as one call per segment followed by merge_partials: that is how one long row is spread over
// workers when shape.invariant is set.
inline constexpr int64_t kSegmentTokens = 1024;

// Element type of the cache. int8 keeps one float scale per token and head for K and one for V.
enum class KvType : uint8_t { kF32, kBf16, kF16, kI8 };

// A page of one layer holds, for each of G heads in turn (docs/formats/kv-pages.md):
//   K  [2 groups of 16 tokens][D / 2][16 tokens][2]   pairs of features of one token adjacent (bf16
//   dot products over D) V  [16 pairs of tokens][D][2]                     pairs of tokens adjacent
//   (bf16 dot products over tokens) int8 only: float k_scale[32], float v_scale[32]   value =
//   integer * scale
// Pages are 64-byte aligned. Writers fill them in ascending order of position: kv_write of slot 0
// also clears the slots behind the span's last row, so readers may load whole pages of which only a
// part is written yet.
struct KvPageLayout {
  int64_t element_bytes = 0;
  int64_t v_offset = 0;      // bytes from a head's start (its K) to its V
  int64_t scale_offset = 0;  // to k_scale; v_scale is kPageTokens floats behind
  int64_t head_bytes = 0;    // to the next head

  // Index of the element (slot of the page, feature) inside K or V.
  static int64_t KIndex(int64_t slot, int64_t d, int64_t head_dim) {
    return ((slot / 16) * (head_dim / 2) + d / 2) * 32 + (slot % 16) * 2 + d % 2;
  }
  static int64_t VIndex(int64_t slot, int64_t d, int64_t head_dim) {
    return ((slot / 2) * head_dim + d) * 2 + slot % 2;
  }
};
KvPageLayout KvLayoutOf(KvType type, int64_t head_dim);
int64_t KvPageBytes(KvType type, int64_t num_kv_heads, int64_t head_dim);

// One sequence's cache of one layer. Token position p lies in pages[p / kPageTokens - first_page],
// slot p % kPageTokens. Sliding-window layers drop pages from the front: positions before
// first_page * kPageTokens are not there.
struct KvPages {
  uint8_t* const* pages = nullptr;  // page base addresses of this layer
  int64_t first_page = 0;
};

// The queries of one sequence inside a flat batch: rows [begin, end) at positions position,
// position + 1, ...
struct AttentionSpan {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t position = 0;
  KvPages kv;  // paged form only
};

struct AttentionShape {
  int64_t num_heads = 0;     // H
  int64_t num_kv_heads = 0;  // G
  int64_t head_dim = 0;      // D
  float scale = 1.0f;        // multiplies q.k
  int64_t window = 0;        // 0: none; else key j is seen from position p only if p - j < window
  KvType kv_type = KvType::kBf16;  // kF32: all arithmetic in fp32 (the reference mode)
  // One arithmetic for any number of rows: a row's bits depend on its own query and keys alone.
  // Otherwise few rows may be computed in fp32 and many through bf16 products.
  bool invariant = false;
};

// Mask: the query at position p sees key j if j <= max(p, look_ahead(p)) and (window == 0 or p - j
// < window). look_ahead: null (causal), or for each row of the flat batch the last position that it
// may see (image spans); never beyond the span's last row.

}  // namespace galen
