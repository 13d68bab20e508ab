#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedMeanRows {
  Tensor x, y;
  const int32_t* rows;
  int64_t group;
};

// One thread: a row may have been asked for twice.
void BackwardMeanRows(ExecContext& ctx, const SavedMeanRows& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t cols = saved.x.cols();
  float* dx = grads.Accumulator(saved.x);
  const ArenaScope scope(ctx.arena);
  float* share = ctx.arena->NewTensor({cols}).f32();
  const int32_t* row = saved.rows;
  for (int64_t i = 0; i < saved.y.rows(); ++i) {
    ctx.kernels->scale(dy + i * cols, 1.0f / static_cast<float>(saved.group), cols, share);
    for (int64_t j = 0; j < saved.group; ++j, ++row) {
      ctx.kernels->add(dx + *row * cols, share, cols, dx + *row * cols);
    }
  }
}

}  // namespace

Tensor MeanRows(ExecContext& ctx, const Tensor& x, std::span<const int32_t> rows, int64_t group) {
  const int64_t cols = x.cols(), listed = static_cast<int64_t>(rows.size());
  GALEN_CHECK(group > 0 && listed % group == 0);
  for (int32_t row : rows) GALEN_CHECK(row >= 0 && row < x.rows());
  Tensor y = ctx.arena->NewTensor({listed / group, cols});
  ForPieces(ctx, y.rows(), group * cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int32_t* row = rows.data() + i * group;
      std::copy_n(x.row(row[0]), cols, y.row(i));
      for (int64_t j = 1; j < group; ++j) {
        ctx.kernels->add(y.row(i), x.row(row[j]), cols, y.row(i));
      }
      ctx.kernels->scale(y.row(i), 1.0f / static_cast<float>(group), cols, y.row(i));
    }
  });
  if (ctx.tape != nullptr && listed > 0 && ctx.tape->Needs(x)) {
    ctx.tape->Record<BackwardMeanRows>(
        ctx.arena, SavedMeanRows{x, y, SaveValues(ctx.arena, rows), group}, {y});
  }
  return y;
}

}  // namespace galen
