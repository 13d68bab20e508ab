#include "ops/rms_norm.h"

#include <algorithm>

#include "ops/add.h"
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
  float* dx = saved.need_x ? grads.Accumulator(saved.x) : nullptr;
  RmsNormGradient(ctx, saved.x, saved.w, saved.eps, dy, dx);
}

struct SavedRmsNormAdd {
  Tensor residual, x, y;
  VectorParam w;
  float eps;
  bool need_residual, need_x;
};

void BackwardRmsNormAdd(ExecContext& ctx, const SavedRmsNormAdd& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  float* dx = saved.need_x ? grads.Accumulator(saved.x) : nullptr;
  if (dx != nullptr || saved.w.grad != nullptr) {
    RmsNormGradient(ctx, saved.x, saved.w, saved.eps, dy, dx);
  }
  if (saved.need_residual) PassGradient(ctx, saved.y, saved.residual, grads);
}

}  // namespace

void MakeRmsNorm(const ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps,
                 float* y) {
  ForPieces(ctx, x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    const int64_t offset = begin * x.cols();
    ctx.kernels->rms_norm(x.f32() + offset, w.data, eps, end - begin, x.cols(), y + offset);
  });
}

void RmsNormGradient(const ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps,
                     const float* dy, float* dx) {
  const int64_t rows = x.rows(), cols = x.cols();
  const int64_t chunks = (rows + kRmsNormChunk - 1) / kRmsNormChunk;
  const ArenaScope scope(ctx.arena);
  const bool need_x = dx != nullptr;
  if (!need_x) dx = ctx.arena->NewTensor({rows, cols}).f32();  // the kernel writes it in any case
  float* sums = w.grad == nullptr ? nullptr : ctx.arena->NewTensor({chunks, cols}).f32();
  ForPieces(ctx, chunks, kRmsNormChunk * cols * 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t first = c * kRmsNormChunk, offset = first * cols;
      const int64_t n = std::min(kRmsNormChunk, rows - first);
      float* dw = sums == nullptr ? nullptr : sums + c * cols;
      if (dw != nullptr) std::fill_n(dw, cols, 0.0f);
      if (!need_x) std::fill_n(dx + offset, n * cols, 0.0f);
      ctx.kernels->rms_norm_backward(x.f32() + offset, w.data, eps, dy + offset, n, cols,
                                     dx + offset, dw);
    }
  });
  for (int64_t c = 0; c < chunks && sums != nullptr; ++c) {
    ctx.kernels->add(w.grad, sums + c * cols, cols, w.grad);
  }
}

Tensor RmsNorm(ExecContext& ctx, const Tensor& x, const VectorParam& w, float eps) {
  GALEN_CHECK(w.n == x.cols());
  Tensor y = x;
  y.data = ctx.arena->NewTensor({x.num_elements()}).data;
  MakeRmsNorm(ctx, x, w, eps, y.f32());
  if (ctx.tape != nullptr && x.num_elements() > 0 && (ctx.tape->Needs(x) || w.grad != nullptr)) {
    ctx.tape->Record<BackwardRmsNorm>(ctx.arena, SavedRmsNorm{x, y, w, eps, ctx.tape->Needs(x)},
                                      {y});
  }
  return y;
}

Tensor RmsNormAdd(ExecContext& ctx, const Tensor& residual, const Tensor& x, const VectorParam& w,
                  float eps) {
  const int64_t cols = x.cols();
  GALEN_CHECK(w.n == cols && residual.rows() == x.rows() && residual.cols() == cols);
  Tensor y = residual;
  y.data = ctx.arena->NewTensor({residual.num_elements()}).data;
  ForPieces(ctx, x.rows(), 2 * cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ctx.kernels->rms_norm(x.row(i), w.data, eps, 1, cols, y.row(i));
      ctx.kernels->add(residual.row(i), y.row(i), cols, y.row(i));
    }
  });
  if (ctx.tape == nullptr || x.num_elements() == 0) return y;
  const bool need_residual = ctx.tape->Needs(residual), need_x = ctx.tape->Needs(x);
  if (need_residual || need_x || w.grad != nullptr) {
    const SavedRmsNormAdd saved{residual, x, y, w, eps, need_residual, need_x};
    ctx.tape->Record<BackwardRmsNormAdd>(ctx.arena, saved, {y});
  }
  return y;
}

}  // namespace galen
