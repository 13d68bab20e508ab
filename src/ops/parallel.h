// Spreads simple loops over the pool. Results must not depend on where the pieces are cut.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/exec_context.h"

namespace galen {

// Starting and ending a region costs 1-2 us; a core passes over some 16 K floats in that time.
inline constexpr int64_t kInlineElements = 16384;
// Below this many multiply-adds a region of the pool costs more than it gains.
inline constexpr int64_t kInlineProducts = 65536;

// Calls fn(begin, end) until [0, n) is done. item_elements: floats that one item touches, about.
template <typename Fn>
void ForPieces(const ExecContext& ctx, int64_t n, int64_t item_elements, Fn&& fn) {
  if (n <= 0) return;
  const int workers = ctx.pool->size();
  if (workers == 1 || n == 1 || n * item_elements < kInlineElements) {
    fn(int64_t{0}, n);
    return;
  }
  constexpr int64_t kPiecesPerWorker = 4;
  const int64_t share = (n + workers * kPiecesPerWorker - 1) / (workers * kPiecesPerWorker);
  const int64_t least = kInlineElements / 4 / std::max<int64_t>(item_elements, 1);
  WorkQueue queue(n, std::max<int64_t>({share, least, 1}));
  ctx.pool->Run([&](int) {
    int64_t begin, end;
    while (queue.Next(&begin, &end)) fn(begin, end);
  });
}

// The same over n floats, cut at whole cache lines.
template <typename Fn>
void ForElements(const ExecContext& ctx, int64_t n, Fn&& fn) {
  constexpr int64_t kLine = 64;
  ForPieces(ctx, (n + kLine - 1) / kLine, kLine,
            [&](int64_t begin, int64_t end) { fn(begin * kLine, std::min(end * kLine, n)); });
}

}  // namespace galen
