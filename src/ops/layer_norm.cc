#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedLayerNorm {
  Tensor x, y;
  VectorParam w, b;
  float eps;
  bool need_x;
};

// Parameter gradients are summed over rows in chunks of fixed size, as in rms_norm.cc.
constexpr int64_t kLayerNormChunk = 64;

void BackwardLayerNorm(ExecContext& ctx, const SavedLayerNorm& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t rows = saved.x.rows(), cols = saved.x.cols();
  const int64_t chunks = (rows + kLayerNormChunk - 1) / kLayerNormChunk;
  float* dx = saved.need_x ? grads.Accumulator(saved.x) : nullptr;
  const ArenaScope scope(ctx.arena);
  if (dx == nullptr) {  // the kernel writes it in any case
    dx = ctx.arena->NewTensor({rows, cols}).f32();
    std::fill_n(dx, rows * cols, 0.0f);
  }
  float* sums = nullptr;  // [chunks][2][cols]: of the scale, of the shift
  if (saved.w.grad != nullptr || saved.b.grad != nullptr) {
    sums = ctx.arena->NewTensor({chunks, 2 * cols}).f32();
    std::fill_n(sums, chunks * 2 * cols, 0.0f);
  }
  ForPieces(ctx, chunks, kLayerNormChunk * cols * 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t first = c * kLayerNormChunk, offset = first * cols;
      float* dw = sums == nullptr ? nullptr : sums + c * 2 * cols;
      float* db = sums == nullptr ? nullptr : dw + cols;
      ctx.kernels->layer_norm_backward(saved.x.f32() + offset, saved.w.data, saved.eps, dy + offset,
                                       std::min(kLayerNormChunk, rows - first), cols, dx + offset,
                                       dw, db);
    }
  });
  for (int64_t c = 0; c < chunks && sums != nullptr; ++c) {
    const float* dw = sums + c * 2 * cols;
    if (saved.w.grad != nullptr) ctx.kernels->add(saved.w.grad, dw, cols, saved.w.grad);
    if (saved.b.grad != nullptr) ctx.kernels->add(saved.b.grad, dw + cols, cols, saved.b.grad);
  }
}

}  // namespace

Tensor LayerNorm(ExecContext& ctx, const Tensor& x, const VectorParam& w, const VectorParam& b,
                 float eps) {
  const int64_t cols = x.cols();
  GALEN_CHECK(w.n == cols && b.n == cols);
  Tensor y = x;
  y.data = ctx.arena->NewTensor({x.num_elements()}).data;
  ForPieces(ctx, x.rows(), cols, [&](int64_t begin, int64_t end) {
    const int64_t offset = begin * cols;
    ctx.kernels->layer_norm(x.f32() + offset, w.data, b.data, eps, end - begin, cols,
                            y.f32() + offset);
  });
  if (ctx.tape == nullptr || x.num_elements() == 0) return y;
  const bool need_x = ctx.tape->Needs(x);
  if (need_x || w.grad != nullptr || b.grad != nullptr) {
    ctx.tape->Record<BackwardLayerNorm>(ctx.arena, SavedLayerNorm{x, y, w, b, eps, need_x}, {y});
  }
  return y;
}

}  // namespace galen
