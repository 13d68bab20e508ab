#include <algorithm>
#include <cmath>

#include "ops/binary_loss.h"
#include "ops/tape.h"

namespace galen {
namespace {

struct SavedBinaryCrossEntropy {
  Tensor logits, loss;
  const int8_t* targets;
  const float* weights;  // of positives, one for each column
  double divisor;
};

// log(1 + exp(x))
double Softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void BackwardBinaryCrossEntropy(ExecContext&, const SavedBinaryCrossEntropy& saved,
                                GradMap& grads) {
  const float* dloss = grads.Find(saved.loss);
  if (dloss == nullptr) return;
  const int64_t rows = saved.logits.rows(), cols = saved.logits.cols();
  const double factor = *dloss / saved.divisor;
  float* dx = grads.Accumulator(saved.logits);
  for (int64_t i = 0; i < rows * cols; ++i) {
    if (saved.targets[i] == kMaskedTarget) continue;
    const double x = saved.logits.f32()[i];
    const double slope =
        saved.targets[i] != 0 ? -saved.weights[i % cols] * Sigmoid(-x) : Sigmoid(x);
    dx[i] += static_cast<float>(factor * slope);
  }
}

}  // namespace

// In double and one after the other: classes times images, or images times texts of one batch.
Tensor BinaryCrossEntropy(ExecContext& ctx, const Tensor& logits, std::span<const int8_t> targets,
                          std::span<const float> positive_weights, double divisor) {
  const int64_t n = logits.num_elements(), cols = logits.cols();
  GALEN_CHECK(static_cast<int64_t>(targets.size()) == n && divisor > 0);
  GALEN_CHECK(positive_weights.empty() || static_cast<int64_t>(positive_weights.size()) == cols);
  float* weights = ctx.arena->NewTensor({cols}).f32();
  for (int64_t c = 0; c < cols; ++c) {
    weights[c] = positive_weights.empty() ? 1.0f : positive_weights[static_cast<size_t>(c)];
  }
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int8_t target = targets[static_cast<size_t>(i)];
    GALEN_CHECK(target == 0 || target == 1 || target == kMaskedTarget);
    const double x = logits.f32()[i];
    if (target != kMaskedTarget)
      sum += target != 0 ? weights[i % cols] * Softplus(-x) : Softplus(x);
  }
  Tensor loss = ctx.arena->NewTensor({1});
  *loss.f32() = static_cast<float>(sum / divisor);
  if (ctx.tape != nullptr && ctx.tape->Needs(logits)) {
    ctx.tape->Record<BackwardBinaryCrossEntropy>(
        ctx.arena,
        SavedBinaryCrossEntropy{logits, loss, SaveValues(ctx.arena, targets), weights, divisor},
        {loss});
  }
  return loss;
}

}  // namespace galen
