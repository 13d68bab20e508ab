// Plain loops: one query reads each key and value once, some millions of products in a tower of
// trillions.
#include <algorithm>
#include <cmath>

#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

float Dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void AddScaled(const float* x, float factor, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

struct SavedPool {
  EncoderAttentionShape shape;
  Tensor q, k, v, y;
  const float* probabilities;  // [n, heads, rows]
  int64_t rows;
};

// Heads apart, groups in order: the gradient of q is a sum over the groups.
void BackwardPool(ExecContext& ctx, const SavedPool& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t heads = saved.shape.num_heads, dim = saved.shape.head_dim, width = heads * dim;
  float* dq = grads.Accumulator(saved.q);
  float* dk = grads.Accumulator(saved.k);
  float* dv = grads.Accumulator(saved.v);
  ForPieces(ctx, heads, saved.k.num_elements() / heads * 2, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) {
      const float* q = saved.q.f32() + h * dim;
      for (int64_t i = 0; i < saved.y.rows(); ++i) {
        const float* p = saved.probabilities + (i * heads + h) * saved.rows;
        const float* dout = dy + i * width + h * dim;
        const float sum = Dot(dout, saved.y.row(i) + h * dim, dim);
        for (int64_t t = 0; t < saved.rows; ++t) {
          const int64_t at = (i * saved.rows + t) * width + h * dim;
          const float ds = saved.shape.scale * p[t] * (Dot(dout, saved.v.f32() + at, dim) - sum);
          AddScaled(dout, p[t], dim, dv + at);
          AddScaled(q, ds, dim, dk + at);
          AddScaled(saved.k.f32() + at, ds, dim, dq + h * dim);
        }
      }
    }
  });
}

}  // namespace

Tensor PoolAttention(ExecContext& ctx, const EncoderAttentionShape& shape, const Tensor& q,
                     const Tensor& k, const Tensor& v, int64_t rows) {
  const int64_t heads = shape.num_heads, dim = shape.head_dim, width = heads * dim;
  GALEN_CHECK(q.num_elements() == width && k.cols() == width && v.cols() == width);
  GALEN_CHECK(rows > 0 && k.rows() % rows == 0 && v.rows() == k.rows());
  const int64_t groups = k.rows() / rows;
  const Tensor y = ctx.arena->NewTensor({groups, width});
  const Tensor probabilities = ctx.arena->NewTensor({groups * heads, rows});
  ForPieces(ctx, groups * heads, rows * dim * 2, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t i = item / heads, h = item % heads;
      const int64_t base = i * rows * width + h * dim;
      float* p = probabilities.row(item);
      for (int64_t t = 0; t < rows; ++t) {
        p[t] = shape.scale * Dot(q.f32() + h * dim, k.f32() + base + t * width, dim);
      }
      float lse = 0;
      ctx.kernels->log_sum_exp(p, 1, rows, &lse);
      float* out = y.row(i) + h * dim;
      std::fill_n(out, dim, 0.0f);
      for (int64_t t = 0; t < rows; ++t) {
        p[t] = std::exp(p[t] - lse);
        AddScaled(v.f32() + base + t * width, p[t], dim, out);
      }
    }
  });
  if (ctx.tape != nullptr && (ctx.tape->Needs(q) || ctx.tape->Needs(k) || ctx.tape->Needs(v))) {
    const SavedPool saved{shape, q, k, v, y, probabilities.f32(), rows};
    ctx.tape->Record<BackwardPool>(ctx.arena, saved, {y});
  }
  return y;
}

}  // namespace galen
