#include <vector>

#include "ops/head_loss.h"
#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedCrossEntropy {
  Tensor logits, loss;
  const int32_t* targets;
  const float* lse;
  int64_t counted;
};

// d loss / d logits = (softmax - onehot(target)) / counted.
void BackwardCrossEntropy(ExecContext& ctx, const SavedCrossEntropy& saved, GradMap& grads) {
  const float* dloss = grads.Find(saved.loss);
  if (dloss == nullptr) return;
  const int64_t cols = saved.logits.cols();
  const float factor = *dloss / static_cast<float>(saved.counted);
  float* dx = grads.Accumulator(saved.logits);
  ForPieces(ctx, saved.logits.rows(), cols, [&](int64_t begin, int64_t end) {
    std::vector<float> softmax(static_cast<size_t>(cols));
    for (int64_t i = begin; i < end; ++i) {
      if (saved.targets[i] == kIgnoredTarget) continue;
      float* row = dx + i * cols;
      ctx.kernels->scaled_softmax(saved.logits.row(i), saved.lse[i], factor, cols, softmax.data());
      ctx.kernels->add(row, softmax.data(), cols, row);
      row[saved.targets[i]] -= factor;
    }
  });
}

}  // namespace

Tensor CrossEntropy(ExecContext& ctx, const Tensor& logits, std::span<const int32_t> targets) {
  const int64_t rows = logits.rows(), cols = logits.cols();
  GALEN_CHECK(static_cast<int64_t>(targets.size()) == rows);
  int64_t counted = 0;
  for (int32_t t : targets) {
    GALEN_CHECK(t == kIgnoredTarget || (t >= 0 && t < cols));
    counted += t != kIgnoredTarget;
  }
  Tensor loss = ctx.arena->NewTensor({1});
  Tensor lse = ctx.arena->NewTensor({rows});
  ForPieces(ctx, rows, cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (targets[i] != kIgnoredTarget)
        ctx.kernels->log_sum_exp(logits.row(i), 1, cols, lse.f32() + i);
    }
  });
  double sum = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (targets[i] != kIgnoredTarget)
      sum += static_cast<double>(lse.f32()[i]) - logits.row(i)[targets[i]];
  }
  *loss.f32() = counted == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(counted));
  if (ctx.tape != nullptr && counted > 0 && ctx.tape->Needs(logits)) {
    const SavedCrossEntropy saved{logits, loss, SaveValues(ctx.arena, targets), lse.f32(), counted};
    ctx.tape->Record<BackwardCrossEntropy>(ctx.arena, saved, {loss});
  }
  return loss;
}

}  // namespace galen
