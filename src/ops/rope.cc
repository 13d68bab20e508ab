#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedRope {
  Tensor x, cos_sin, y;
};

void Rotate(const ExecContext& ctx, const Tensor& x, const Tensor& cos_sin, bool inverse,
            const float* from, float* to) {
  const int64_t heads = x.dim(1), head_dim = x.dim(2), row = heads * head_dim;
  ForPieces(ctx, x.dim(0), row, [&](int64_t begin, int64_t end) {
    ctx.kernels->rope(from + begin * row, cos_sin.f32() + begin * head_dim, end - begin, heads,
                      head_dim, inverse, to + begin * row);
  });
}

void BackwardRope(ExecContext& ctx, const SavedRope& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  bool fresh;
  float* dx = grads.Slot(saved.x, &fresh);
  if (fresh) return Rotate(ctx, saved.x, saved.cos_sin, /*inverse=*/true, dy, dx);
  const ArenaScope scope(ctx.arena);
  const int64_t n = saved.x.num_elements();
  float* turned = ctx.arena->NewTensor({n}).f32();
  Rotate(ctx, saved.x, saved.cos_sin, /*inverse=*/true, dy, turned);
  ForElements(ctx, n, [&](int64_t begin, int64_t end) {
    ctx.kernels->add(dx + begin, turned + begin, end - begin, dx + begin);
  });
}

}  // namespace

Tensor Rope(ExecContext& ctx, const Tensor& x, const Tensor& cos_sin) {
  GALEN_CHECK(x.rank == 3 && x.dim(2) % 2 == 0);
  GALEN_CHECK(cos_sin.rows() == x.dim(0) && cos_sin.cols() == x.dim(2));
  Tensor y = ctx.arena->NewTensor({x.dim(0), x.dim(1), x.dim(2)});
  Rotate(ctx, x, cos_sin, /*inverse=*/false, x.f32(), y.f32());
  if (ctx.tape != nullptr && ctx.tape->Needs(x)) {
    ctx.tape->Record<BackwardRope>(ctx.arena, SavedRope{x, cos_sin, y}, {y});
  }
  return y;
}

}  // namespace galen
