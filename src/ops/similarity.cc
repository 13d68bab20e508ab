#include <cmath>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedSimilarity {
  Tensor a, b, y;
  VectorParam log_scale, bias;
  float scale;
  bool need_a, need_b;
};

void BackwardSimilarity(ExecContext&, const SavedSimilarity& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t n = saved.a.rows(), m = saved.b.rows(), cols = saved.a.cols();
  float* da = saved.need_a ? grads.Accumulator(saved.a) : nullptr;
  float* db = saved.need_b ? grads.Accumulator(saved.b) : nullptr;
  const float bias = saved.bias.data == nullptr ? 0.0f : *saved.bias.data;
  double dscale = 0, dbias = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      const float g = dy[i * m + j];
      dbias += g;
      dscale += static_cast<double>(g) * (saved.y.row(i)[j] - bias);
      const float* a = saved.a.row(i);
      const float* b = saved.b.row(j);
      for (int64_t c = 0; da != nullptr && c < cols; ++c)
        da[i * cols + c] += saved.scale * g * b[c];
      for (int64_t c = 0; db != nullptr && c < cols; ++c)
        db[j * cols + c] += saved.scale * g * a[c];
    }
  }
  if (saved.log_scale.grad != nullptr) *saved.log_scale.grad += static_cast<float>(dscale);
  if (saved.bias.grad != nullptr) *saved.bias.grad += static_cast<float>(dbias);
}

}  // namespace

Tensor Similarity(ExecContext& ctx, const Tensor& a, const Tensor& b, const VectorParam& log_scale,
                  const VectorParam* bias) {
  const int64_t n = a.rows(), m = b.rows(), cols = a.cols();
  GALEN_CHECK(b.cols() == cols && log_scale.n == 1);
  const bool biased = bias != nullptr && bias->data != nullptr;
  const float scale = std::exp(*log_scale.data);
  const Tensor y = ctx.arena->NewTensor({n, m});
  ForPieces(ctx, n, m * cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < m; ++j) {
        double sum = 0;
        for (int64_t c = 0; c < cols; ++c) sum += static_cast<double>(a.row(i)[c]) * b.row(j)[c];
        y.row(i)[j] = static_cast<float>(sum) * scale + (biased ? *bias->data : 0.0f);
      }
    }
  });
  if (ctx.tape != nullptr) {
    const SavedSimilarity saved{a,
                                b,
                                y,
                                log_scale,
                                biased ? *bias : VectorParam{},
                                scale,
                                ctx.tape->Needs(a),
                                ctx.tape->Needs(b)};
    if (saved.need_a || saved.need_b || log_scale.grad != nullptr || saved.bias.grad != nullptr) {
      ctx.tape->Record<BackwardSimilarity>(ctx.arena, saved, {y});
    }
  }
  return y;
}

}  // namespace galen
