#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedAddRows {
  Tensor x, y;
  VectorParam table;
  bool need_x;
};

void BackwardAddRows(ExecContext& ctx, const SavedAddRows& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t n = saved.x.num_elements();
  if (saved.need_x) {
    float* dx = grads.Accumulator(saved.x);
    ForElements(ctx, n, [&](int64_t begin, int64_t end) {
      ctx.kernels->add(dx + begin, dy + begin, end - begin, dx + begin);
    });
  }
  float* dt = saved.table.grad;
  if (dt == nullptr) return;
  ForElements(ctx, saved.table.n, [&](int64_t begin, int64_t end) {
    for (int64_t at = 0; at < n; at += saved.table.n) {
      ctx.kernels->add(dt + begin, dy + at + begin, end - begin, dt + begin);
    }
  });
}

}  // namespace

Tensor AddRows(ExecContext& ctx, const Tensor& x, const VectorParam& table) {
  const int64_t cols = x.cols(), n = x.num_elements();
  GALEN_CHECK(table.n > 0 && table.n % cols == 0 && n % table.n == 0);
  const int64_t period = table.n / cols;
  Tensor y = x;
  y.data = ctx.arena->NewTensor({n}).data;
  ForPieces(ctx, x.rows(), cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end;) {
      const int64_t first = r % period, count = std::min(period - first, end - r);
      ctx.kernels->add(x.f32() + r * cols, table.data + first * cols, count * cols,
                       y.f32() + r * cols);
      r += count;
    }
  });
  if (ctx.tape == nullptr || n == 0) return y;
  const bool need_x = ctx.tape->Needs(x);
  if (need_x || table.grad != nullptr) {
    ctx.tape->Record<BackwardAddRows>(ctx.arena, SavedAddRows{x, y, table, need_x}, {y});
  }
  return y;
}

}  // namespace galen
