#include "kernels/attention.h"

namespace galen {

KvPageLayout KvLayoutOf(KvType type, int64_t head_dim) {
  KvPageLayout layout;
  layout.element_bytes = type == KvType::kF32 ? 4 : type == KvType::kI8 ? 1 : 2;
  layout.v_offset = kPageTokens * head_dim * layout.element_bytes;
  layout.scale_offset = 2 * layout.v_offset;
  const int64_t scales = type == KvType::kI8 ? 2 * kPageTokens * int64_t{sizeof(float)} : 0;
  layout.head_bytes = layout.scale_offset + scales;
  return layout;
}

int64_t KvPageBytes(KvType type, int64_t num_kv_heads, int64_t head_dim) {
  return num_kv_heads * KvLayoutOf(type, head_dim).head_bytes;
}

}  // namespace galen
