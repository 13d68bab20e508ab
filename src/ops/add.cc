#include "ops/add.h"

#include <algorithm>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedAdd {
  Tensor a, b, y;
  bool need_a, need_b;
};

void AddGradient(const ExecContext& ctx, const Tensor& t, const float* dy, GradMap& grads) {
  bool fresh;
  float* dt = grads.Slot(t, &fresh);
  ForElements(ctx, t.num_elements(), [&](int64_t begin, int64_t end) {
    if (fresh) {
      std::copy_n(dy + begin, end - begin, dt + begin);
    } else {
      ctx.kernels->add(dt + begin, dy + begin, end - begin, dt + begin);
    }
  });
}

void BackwardAdd(ExecContext& ctx, const SavedAdd& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  if (saved.need_b) AddGradient(ctx, saved.b, dy, grads);
  if (saved.need_a) PassGradient(ctx, saved.y, saved.a, grads);
}

}  // namespace

void PassGradient(const ExecContext& ctx, const Tensor& from, const Tensor& to, GradMap& grads) {
  if (grads.Find(to) == nullptr) return grads.Move(from, to);
  AddGradient(ctx, to, grads.Find(from), grads);
}

Tensor Add(ExecContext& ctx, const Tensor& a, const Tensor& b) {
  GALEN_CHECK(a.rows() == b.rows() && a.cols() == b.cols());
  Tensor y = a;
  y.data = ctx.arena->NewTensor({a.num_elements()}).data;
  ForElements(ctx, a.num_elements(), [&](int64_t begin, int64_t end) {
    ctx.kernels->add(a.f32() + begin, b.f32() + begin, end - begin, y.f32() + begin);
  });
  if (ctx.tape != nullptr && (ctx.tape->Needs(a) || ctx.tape->Needs(b))) {
    ctx.tape->Record<BackwardAdd>(ctx.arena,
                                  SavedAdd{a, b, y, ctx.tape->Needs(a), ctx.tape->Needs(b)}, {y});
  }
  return y;
}

}  // namespace galen
