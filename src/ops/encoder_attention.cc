#include <vector>

#include "ops/ops.h"

namespace galen {

Tensor EncoderAttention(ExecContext& ctx, const EncoderAttentionShape& shape,
                        std::span<const int32_t> cu_seqlens, const Tensor& q, const Tensor& k,
                        const Tensor& v) {
  const int64_t tokens = q.num_elements() / (shape.num_heads * shape.head_dim);
  GALEN_CHECK(!cu_seqlens.empty() && cu_seqlens.front() == 0 && cu_seqlens.back() == tokens);
  std::vector<AttentionSpan> spans;
  std::vector<int32_t> last(static_cast<size_t>(tokens));  // that a row may see, in its segment
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    const int32_t begin = cu_seqlens[i], end = cu_seqlens[i + 1];
    GALEN_CHECK(begin <= end);
    if (begin == end) continue;
    spans.push_back({begin, end, 0, {}});
    for (int32_t t = begin; t < end; ++t) last[static_cast<size_t>(t)] = end - begin - 1;
  }
  const AttentionShape full{shape.num_heads, shape.num_heads, shape.head_dim, shape.scale, 0,
                            KvType::kF32};
  return Attention(ctx, full, spans, q, k, v, last.data());
}

}  // namespace galen
