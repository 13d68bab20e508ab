#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedRmsNorm {
  Tensor x, y;
  VectorParam w;
  float eps;
  bool need_x;
};

// The gradient of the scale is summed over rows: in chunks of fixed size, each into its own sum, so
// that the result does not depend on the number of workers.
constexpr int64_t kRmsNormChunk = 64;

void BackwardRmsNorm(ExecContext& ctx, const SavedRmsNorm& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t rows = saved.x.rows(), cols = saved.x.cols();
  const int64_t chunks = (rows + kRmsNormChunk - 1) / kRmsNormChunk;
  float* dx = saved.need_x ? grads.Accumulator(saved.x) : nullptr;
  const ArenaScope scope(ctx.arena);
  if (dx == nullptr)
    dx = ctx.arena->NewTensor({rows, cols}).f32();  // the kernel writes it in any case
  float* sums = saved.w.grad == nullptr ? nullptr : ctx.arena->NewTensor({chunks, cols}).f32();
  ForPieces(ctx, chunks, kRmsNormChunk * cols * 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t first = c * kRmsNormChunk, offset = first * cols;
      const int64_t n = std::min(kRmsNormChunk, rows - first);
      float* dw = sums == nullptr ? nullptr : sums + c * cols;
      if (dw != nullptr) std::fill_n(dw, cols, 0.0f);
      if (!saved.need_x) std::fill_n(dx + offset, n * cols, 0.0f);
      ctx.kernels->rms_norm_backward(saved.x.f32() + offset, saved.w.data, saved.eps, dy + offset,
                                     n, cols, dx + offset, dw);
    }
  });
  for (int64_t c = 0; c < chunks && sums != nullptr; ++c) {
    ctx.kernels->add(saved.w.grad, sums + c * cols, cols, saved.w.grad);
  }
}

}  // namespace

Tensor RmsNorm(ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps) {
  GALEN_CHECK(w.n == x.cols());
  Tensor y = x;
  y.data = ctx.arena->NewTensor({x.num_elements()}).data;
  ForPieces(ctx, x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    const int64_t offset = begin * x.cols();
    ctx.kernels->rms_norm(x.f32() + offset, w.data, eps, end - begin, x.cols(), y.f32() + offset);
  });
  if (ctx.tape != nullptr && x.num_elements() > 0 && (ctx.tape->Needs(x) || w.grad != nullptr)) {
    ctx.tape->Record<BackwardRmsNorm>(ctx.arena, SavedRmsNorm{x, y, w, eps, ctx.tape->Needs(x)},
                                      {y});
  }
  return y;
}

Tensor RmsNormAdd(ExecContext& ctx, const Tensor& residual, const Tensor& x, const VectorParam& w,
                  float eps) {
  GALEN_CHECK(w.n == x.cols() && residual.num_elements() == x.num_elements());
  if (ctx.tape != nullptr) return Add(ctx, residual, RmsNorm(ctx, x, w, eps));
  ForPieces(ctx, x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    const int64_t offset = begin * x.cols();
    ctx.kernels->rms_norm_add(x.f32() + offset, w.data, eps, end - begin, x.cols(),
                              residual.f32() + offset);
  });
  return residual;
}

}  // namespace galen
