#include <algorithm>

#include "ops/linear_gradients.h"
#include "ops/parallel.h"
#include "ops/round_up.h"

namespace galen {
namespace {

// Rows of dw that are worked out at a time: their operand stays small.
constexpr int64_t kGradientRows = 1024;
// A dw of fewer columns (an adapter's second factor) is worked out as its transpose: a product of
// few rows.
constexpr int64_t kFewColumns = 64;
constexpr int64_t kPassRows = 512;  // rows that the product's scratch is for, at most

// to [cols, rows] += from^T, from [rows, cols].
void AddTurned(const ExecContext& ctx, const float* from, int64_t rows, int64_t cols, float* to) {
  constexpr int64_t kTile = 16;
  ForPieces(ctx, (cols + kTile - 1) / kTile, kTile * rows, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin * kTile; c < std::min(end * kTile, cols); ++c) {
      for (int64_t r = 0; r < rows; ++r) to[c * rows + r] += from[r * cols + c];
    }
  });
}

// dw [n, k] += dy^T x is the input gradient of a product whose weight is x [m, k] and whose
// outputs' gradient is dy^T [n, m].
void ThroughBf16(const ExecContext& ctx, const float* dy, const float* x, int64_t m, int64_t n,
                 int64_t k, float* dw) {
  const auto as_weight = [m](const float* values, int64_t cols) {
    return WeightView{reinterpret_cast<const uint8_t*>(values), DType::kF32, WeightLayout::kRows, m,
                      cols};
  };
  if (k < kFewColumns && n > k) {
    const ArenaScope scope(ctx.arena);
    float* product = ctx.arena->NewTensor({k, n}).f32();
    LinearInputGradientTurned(ctx, as_weight(dy, n), x, k, k, product, false);
    AddTurned(ctx, product, k, n, dw);
    return;
  }
  for (int64_t n0 = 0; n0 < n; n0 += kGradientRows) {
    const int64_t count = std::min(kGradientRows, n - n0);
    LinearInputGradientTurned(ctx, as_weight(x, k), dy + n0, n, count, dw + n0 * k, true);
  }
}

}  // namespace

void LinearWeightGradient(const ExecContext& ctx, const float* dy, const float* x, int64_t m,
                          int64_t n, int64_t k, float* dw) {
  if (m == 0) return;
  if (ctx.compute != Compute::kFp32 && ctx.kernels->linear_prepare_turned != nullptr) {
    ThroughBf16(ctx, dy, x, m, n, k, dw);
    return;
  }
  // Few rows (an adapter's) still give every worker some.
  constexpr int64_t kRows = 48;
  const int64_t share = (n + ctx.pool->size() - 1) / ctx.pool->size();
  WorkQueue queue(n, std::min(share, kRows));
  ctx.pool->Run([&](int) {
    int64_t begin, end;
    while (queue.Next(&begin, &end)) {
      ctx.kernels->linear_backward_weight(dy, x, m, n, k, begin, end, dw);
    }
  });
}

int64_t LinearWeightGradientBytes(const KernelTable& kernels, int threads, int64_t m,
                                  int64_t widest) {
  if (kernels.linear_backward_bf16_scratch_bytes == nullptr) return 0;
  constexpr int64_t kRounding = 8 * 64;
  const int64_t rows = std::min(widest, kGradientRows);
  return kernels.linear_operand_bytes(LinearPlan::kBf16Panels, rows, m) +
         kFewColumns * widest * static_cast<int64_t>(sizeof(float)) +
         threads * RoundUp(kernels.linear_backward_bf16_scratch_bytes(kPassRows), 64) + kRounding;
}

}  // namespace galen
