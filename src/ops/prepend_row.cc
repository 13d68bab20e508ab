#include <algorithm>

#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedPrepend {
  Tensor x, y;
  VectorParam row;
  int64_t rows;
  bool need_x;
};

void BackwardPrepend(ExecContext& ctx, const SavedPrepend& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t cols = saved.x.cols();
  const int64_t group = saved.rows * cols;
  float* dx = saved.need_x ? grads.Accumulator(saved.x) : nullptr;
  for (int64_t i = 0; i < saved.x.rows() / saved.rows; ++i) {
    const float* from = dy + i * (group + cols);
    if (saved.row.grad != nullptr) ctx.kernels->add(saved.row.grad, from, cols, saved.row.grad);
    if (dx != nullptr) ctx.kernels->add(dx + i * group, from + cols, group, dx + i * group);
  }
}

}  // namespace

Tensor PrependRow(ExecContext& ctx, const Tensor& x, const VectorParam& row, int64_t rows) {
  const int64_t cols = x.cols();
  GALEN_CHECK(rows > 0 && x.rows() % rows == 0 && row.n == cols);
  const int64_t groups = x.rows() / rows;
  const Tensor y = ctx.arena->NewTensor({groups * (rows + 1), cols});
  for (int64_t i = 0; i < groups; ++i) {
    std::copy_n(row.data, cols, y.row(i * (rows + 1)));
    std::copy_n(x.row(i * rows), rows * cols, y.row(i * (rows + 1) + 1));
  }
  if (ctx.tape != nullptr && (row.grad != nullptr || ctx.tape->Needs(x))) {
    const SavedPrepend saved{x, y, row, rows, ctx.tape->Needs(x)};
    ctx.tape->Record<BackwardPrepend>(ctx.arena, saved, {y});
  }
  return y;
}

}  // namespace galen
