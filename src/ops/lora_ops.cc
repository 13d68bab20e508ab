#include "ops/lora_ops.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/linear_gradients.h"
#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

// Rows of a weight that are decoded at a time.
constexpr int64_t kNormRows = 32;

int64_t Aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

struct SavedScaleColumns {
  Tensor x, y;
  VectorParam magnitude;
  const float* norms;
  float* bias_grad;
  bool need_x;
};

void BackwardScaleColumns(ExecContext& ctx, const SavedScaleColumns& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t rows = saved.y.rows(), cols = saved.y.cols();
  if (saved.need_x) {
    float* dx = grads.Accumulator(saved.x);
    ForPieces(ctx, rows, cols, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * cols; i < end * cols; ++i) {
        const int64_t j = i % cols;
        dx[i] += dy[i] * (saved.magnitude.data[j] / saved.norms[j]);
      }
    });
  }
  if (saved.magnitude.grad != nullptr) {
    for (int64_t i = 0; i < rows; ++i) {
      const float *x = saved.x.row(i), *d = dy + i * cols;
      for (int64_t j = 0; j < cols; ++j) saved.magnitude.grad[j] += d[j] * (x[j] / saved.norms[j]);
    }
  }
  for (int64_t i = 0; i < rows && saved.bias_grad != nullptr; ++i) {
    ctx.kernels->add(saved.bias_grad, dy + i * cols, cols, saved.bias_grad);
  }
}

// What one worker needs for a group of rows.
struct NormScratch {
  int64_t rows_bytes, factors_bytes, kernel_bytes;
  NormScratch(const KernelTable& kernels, const Weight& w, const Weight& a)
      : rows_bytes(Aligned(kNormRows * w.view.cols * int64_t{sizeof(float)})),
        factors_bytes(Aligned(kNormRows * a.view.rows * int64_t{sizeof(float)})),
        kernel_bytes(Aligned(kernels.linear_backward_scratch_bytes(a.view))) {}
  int64_t total() const { return rows_bytes + factors_bytes + kernel_bytes; }
};

}  // namespace

Tensor ScaleColumns(ExecContext& ctx, const Tensor& y, const VectorParam& magnitude,
                    const float* norms, const VectorParam* bias) {
  const int64_t rows = y.rows(), cols = y.cols();
  GALEN_CHECK(magnitude.n == cols && (bias == nullptr || bias->n == cols));
  Tensor out = y;
  if (ctx.tape != nullptr) out.data = ctx.arena->NewTensor({rows, cols}).data;
  const float* add = bias == nullptr ? nullptr : bias->data;
  ForPieces(ctx, rows, cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = y.row(i);
      float* to = out.row(i);
      for (int64_t j = 0; j < cols; ++j) {
        to[j] = from[j] * (magnitude.data[j] / norms[j]) + (add == nullptr ? 0.0f : add[j]);
      }
    }
  });
  if (ctx.tape == nullptr || rows == 0) return out;
  const bool need_x = ctx.tape->Needs(y);
  float* bias_grad = bias == nullptr ? nullptr : bias->grad;
  if (need_x || magnitude.grad != nullptr || bias_grad != nullptr) {
    const SavedScaleColumns saved{y, out, magnitude, norms, bias_grad, need_x};
    ctx.tape->Record<BackwardScaleColumns>(ctx.arena, saved, {out});
  }
  return out;
}

int64_t LowRankRowNormBytes(const KernelTable& kernels, int num_threads, const Weight& w,
                            const Weight& a) {
  return num_threads * NormScratch(kernels, w, a).total() + 64;
}

void LowRankRowNorms(ExecContext& ctx, const Weight& w, const Weight& a, const Weight& b,
                     float scale, float* norms) {
  const int64_t n = w.view.rows, k = w.view.cols, r = a.view.rows;
  GALEN_CHECK(a.view.cols == k && b.view.rows == n && b.view.cols == r);
  const KernelTable& kernels = *ctx.kernels;
  const NormScratch sizes(kernels, w, a);
  const ArenaScope scope(ctx.arena);
  auto* memory = static_cast<uint8_t*>(ctx.arena->Allocate(sizes.total() * ctx.pool->size()));
  WorkQueue queue(n, kNormRows);
  ctx.pool->Run([&](int worker) {
    uint8_t* own = memory + worker * sizes.total();
    float* rows = reinterpret_cast<float*>(own);
    float* factors = reinterpret_cast<float*>(own + sizes.rows_bytes);
    void* scratch = own + sizes.rows_bytes + sizes.factors_bytes;
    std::array<int32_t, kNormRows> ids;
    for (int64_t begin, end; queue.Next(&begin, &end);) {
      const int64_t count = end - begin;
      for (int64_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>(begin + i);
      kernels.decode_rows(w.view, ids.data(), 0, count, rows, k);
      kernels.decode_rows(b.view, ids.data(), 0, count, factors, r);
      kernels.scale(factors, scale, count * r, factors);
      for (int64_t col = 0; col < k; col += kBackwardColumns) {
        kernels.linear_backward_input(a.view, factors, count, col,
                                      std::min(col + kBackwardColumns, k), rows, true, scratch);
      }
      for (int64_t i = 0; i < count; ++i) {
        double squares = 0;
        for (int64_t j = 0; j < k; ++j) {
          const double value = rows[i * k + j];
          squares += value * value;
        }
        norms[begin + i] = static_cast<float>(std::sqrt(squares));
      }
    }
  });
}

}  // namespace galen
