#include <algorithm>

#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedGather {
  Tensor x, y;
  const int32_t* rows;
};

// One thread: a row may have been asked for twice.
void BackwardGather(ExecContext& ctx, const SavedGather& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t cols = saved.x.cols();
  float* dx = grads.Accumulator(saved.x);
  for (int64_t i = 0; i < saved.y.rows(); ++i) {
    float* row = dx + saved.rows[i] * cols;
    ctx.kernels->add(row, dy + i * cols, cols, row);
  }
}

}  // namespace

Tensor GatherRows(ExecContext& ctx, const Tensor& x, std::span<const int32_t> rows) {
  const int64_t n = static_cast<int64_t>(rows.size()), cols = x.cols();
  for (int32_t row : rows) GALEN_CHECK(row >= 0 && row < x.rows());
  Tensor y = ctx.arena->NewTensor({n, cols});
  for (int64_t i = 0; i < n; ++i) std::copy_n(x.f32() + rows[i] * cols, cols, y.row(i));
  if (ctx.tape != nullptr && n > 0 && ctx.tape->Needs(x)) {
    ctx.tape->Record<BackwardGather>(ctx.arena, SavedGather{x, y, SaveValues(ctx.arena, rows)},
                                     {y});
  }
  return y;
}

}  // namespace galen
