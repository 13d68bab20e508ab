#include <algorithm>
#include <vector>

#include "ops/ops.h"

namespace galen {
namespace {

struct Segment {
  int64_t begin, end;
};

// Through the differentiable form, in fp32.
Tensor ByVarlen(ExecContext& ctx, const EncoderAttentionShape& shape,
                std::span<const Segment> segments, const Tensor& q, const Tensor& k,
                const Tensor& v) {
  std::vector<AttentionSpan> spans;
  std::vector<int32_t> last;  // position that each row may see, in its segment
  for (const Segment& s : segments) {
    spans.push_back({s.begin, s.end, 0, {}});
    last.insert(last.end(), static_cast<size_t>(s.end - s.begin),
                static_cast<int32_t>(s.end - s.begin - 1));
  }
  const AttentionShape full{shape.num_heads, shape.num_heads, shape.head_dim, shape.scale, 0,
                            KvType::kF32};
  return Attention(ctx, full, spans, q, k, v, last.data());
}

// Rows [row0, row1) of one segment and head.
struct Piece {
  int64_t segment, head, row0, row1;
};

// Heads of segments, cut along the queries only as far as the pool needs it: each piece packs all
// keys and values of its head again, which few hundred queries pay for.
std::vector<Piece> CutPieces(std::span<const Segment> segments, int64_t heads, int64_t workers) {
  constexpr int64_t kPiecesPerWorker = 4, kLeastRows = 192;
  const int64_t whole = static_cast<int64_t>(segments.size()) * heads;
  const int64_t wanted = (workers * kPiecesPerWorker + whole - 1) / std::max<int64_t>(whole, 1);
  std::vector<Piece> pieces;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t rows = segments[i].end - segments[i].begin;
    const int64_t parts = std::clamp<int64_t>(rows / kLeastRows, 1, std::max<int64_t>(wanted, 1));
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t p = 0; p < parts; ++p) {
        pieces.push_back({static_cast<int64_t>(i), h, segments[i].begin + rows * p / parts,
                          segments[i].begin + rows * (p + 1) / parts});
      }
    }
  }
  return pieces;
}

}  // namespace

Tensor EncoderAttention(ExecContext& ctx, const EncoderAttentionShape& shape,
                        std::span<const int32_t> cu_seqlens, const Tensor& q, const Tensor& k,
                        const Tensor& v) {
  const int64_t row = shape.num_heads * shape.head_dim, tokens = q.num_elements() / row;
  GALEN_CHECK(q.num_elements() == tokens * row && k.num_elements() == tokens * row);
  GALEN_CHECK(v.num_elements() == tokens * row && shape.head_dim % 2 == 0);
  GALEN_CHECK(!cu_seqlens.empty() && cu_seqlens.front() == 0 && cu_seqlens.back() == tokens);
  std::vector<Segment> segments;
  int64_t longest = 0;
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    GALEN_CHECK(cu_seqlens[i] <= cu_seqlens[i + 1]);
    if (cu_seqlens[i] == cu_seqlens[i + 1]) continue;
    segments.push_back({cu_seqlens[i], cu_seqlens[i + 1]});
    longest = std::max(longest, segments.back().end - segments.back().begin);
  }
  // What will be computed again on a tape has its bits already now.
  if (ctx.tape != nullptr || ctx.recompute || ctx.compute == Compute::kFp32 ||
      ctx.kernels->encoder_attention == nullptr) {
    return ByVarlen(ctx, shape, segments, q, k, v);
  }
  const Tensor out = ctx.arena->NewTensor({tokens, row});
  const ArenaScope scope(ctx.arena);
  const int64_t bytes =
      (ctx.kernels->encoder_attention_scratch_bytes(shape, longest) + 63) / 64 * 64;
  auto* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(bytes * ctx.pool->size()));
  const std::vector<Piece> pieces = CutPieces(segments, shape.num_heads, ctx.pool->size());
  WorkQueue queue(static_cast<int64_t>(pieces.size()), 1);
  ctx.pool->Run([&](int worker) {
    for (int64_t i, next; queue.Next(&i, &next);) {
      const Piece& piece = pieces[static_cast<size_t>(i)];
      const Segment& segment = segments[static_cast<size_t>(piece.segment)];
      ctx.kernels->encoder_attention(shape, q.f32(), k.f32(), v.f32(), segment.begin, segment.end,
                                     piece.head, piece.row0, piece.row1, out.f32(),
                                     scratch + worker * bytes);
    }
  });
  return out;
}

}  // namespace galen
