#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedEmbedding {
  float* table_grad;
  const int32_t* ids;
  int64_t num_ids;
  float scale;
  Tensor y;
};

// One thread: an id may occur twice, and its rows are added in the order of the tokens.
void BackwardEmbedding(ExecContext&, const SavedEmbedding& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t cols = saved.y.cols();
  for (int64_t i = 0; i < saved.num_ids; ++i, dy += cols) {
    float* row = saved.table_grad + saved.ids[i] * cols;
    for (int64_t j = 0; j < cols; ++j) row[j] += saved.scale * dy[j];
  }
}

}  // namespace

Tensor Embedding(ExecContext& ctx, const Weight& table, std::span<const int32_t> ids, float scale) {
  const int64_t n = static_cast<int64_t>(ids.size()), cols = table.view.cols;
  for (int32_t id : ids) GALEN_CHECK(id >= 0 && id < table.view.rows);
  Tensor y = ctx.arena->NewTensor({n, cols});
  ForPieces(ctx, n, cols * 4,
            [&](int64_t begin, int64_t end) {  // decoding costs some four times a copy
              ctx.kernels->decode_rows(table.view, ids.data(), begin, end, y.f32(), cols);
              if (scale != 1.0f)
                ctx.kernels->scale(y.row(begin), scale, (end - begin) * cols, y.row(begin));
            });
  if (ctx.tape != nullptr && table.grad != nullptr && n > 0) {
    GALEN_CHECK(table.view.dtype == DType::kF32);
    const SavedEmbedding saved{table.grad, SaveValues(ctx.arena, ids), n, scale, y};
    ctx.tape->Record<BackwardEmbedding>(ctx.arena, saved, {y});
  }
  return y;
}

}  // namespace galen
