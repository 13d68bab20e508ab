#include <algorithm>
#include <cstring>

#include "ops/head_loss.h"
#include "ops/linear_gradients.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

// Logits of a chunk. Each chunk unpacks the head twice: 256 rows hide that, 64 do not.
constexpr int64_t kChunkBytes = int64_t{256} << 20;
constexpr int64_t kMinChunkRows = 16;

struct SavedHeadLoss {
  Tensor x, loss;
  const float* dx;
};

void BackwardHeadLoss(ExecContext& ctx, const SavedHeadLoss& saved, GradMap& grads) {
  const float* dloss = grads.Find(saved.loss);
  if (dloss == nullptr) return;
  GALEN_CHECK(*dloss == 1.0f);
  bool fresh;
  float* dx = grads.Slot(saved.x, &fresh);
  const int64_t n = saved.x.num_elements();
  if (fresh) {
    std::memcpy(dx, saved.dx, sizeof(float) * static_cast<size_t>(n));
  } else {
    ctx.kernels->add(dx, saved.dx, n, dx);
  }
}

// Whether no other value reaches row[target].
bool IsLargest(const float* row, int64_t n, int32_t target) {
  const float value = row[target];
  int64_t reach = 0;
  for (int64_t i = 0; i < n; ++i) reach += row[i] >= value ? 1 : 0;
  return reach == 1;
}

// The loss of each row of a chunk; with `gradients` the logits become their own gradients.
void LossOfRows(const ExecContext& ctx, const Tensor& logits, std::span<const int32_t> targets,
                float factor, bool gradients, double* losses, uint8_t* correct) {
  const int64_t cols = logits.cols();
  WorkQueue queue(logits.rows(), 1);
  ctx.pool->Run([&](int) {
    int64_t i, end;
    while (queue.Next(&i, &end)) {
      float* row = logits.row(i);
      const int32_t target = targets[static_cast<size_t>(i)];
      losses[i] = 0;
      if (correct != nullptr) correct[i] = target == kIgnoredTarget || IsLargest(row, cols, target);
      if (target == kIgnoredTarget) {
        if (gradients) std::fill_n(row, cols, 0.0f);
        continue;
      }
      float lse;
      ctx.kernels->log_sum_exp(row, 1, cols, &lse);
      losses[i] = static_cast<double>(lse) - row[target];
      if (!gradients) continue;
      ctx.kernels->scaled_softmax(row, lse, factor, cols, row);
      row[target] -= factor;
    }
  });
}

}  // namespace

int64_t HeadChunkRows(int64_t vocab_size, int64_t n) {
  const int64_t rows = std::max(kChunkBytes / (vocab_size * 4), kMinChunkRows);
  return std::min(rows, std::max<int64_t>(n, 1));
}

Tensor HeadCrossEntropy(ExecContext& ctx, const Tensor& x, const Weight& head,
                        std::span<const int32_t> targets, double divisor) {
  return HeadCrossEntropy(ctx, x, head, targets, divisor, {});
}

Tensor HeadCrossEntropy(ExecContext& ctx, const Tensor& x, const Weight& head,
                        std::span<const int32_t> targets, double divisor,
                        std::span<uint8_t> correct) {
  const int64_t n = x.rows(), vocab = head.view.rows, hidden = head.view.cols;
  GALEN_CHECK(static_cast<int64_t>(targets.size()) == n && x.cols() == hidden && divisor > 0);
  GALEN_CHECK(correct.empty() || correct.size() == targets.size());
  for (const int32_t t : targets) GALEN_CHECK(t == kIgnoredTarget || (t >= 0 && t < vocab));
  const bool need_x = ctx.tape != nullptr && ctx.tape->Needs(x);
  const bool gradients = ctx.tape != nullptr && (need_x || head.grad != nullptr);
  Tensor loss = ctx.arena->NewTensor({1});
  Tensor dx = need_x ? ctx.arena->NewTensor({n, hidden}) : Tensor();
  const int64_t chunk_rows = HeadChunkRows(vocab, n);
  const float factor = static_cast<float>(1.0 / divisor);
  double sum = 0;
  ExecContext inside = ctx;
  inside.tape = nullptr;
  for (int64_t begin = 0; begin < n; begin += chunk_rows) {
    const int64_t rows = std::min(chunk_rows, n - begin);
    const ArenaScope scope(ctx.arena);
    const Tensor part = x.Rows(begin, rows);
    const Tensor logits = Linear(inside, part, head);
    auto* losses =
        static_cast<double*>(ctx.arena->Allocate(rows * static_cast<int64_t>(sizeof(double))));
    LossOfRows(ctx, logits, targets.subspan(static_cast<size_t>(begin), static_cast<size_t>(rows)),
               factor, gradients, losses, correct.empty() ? nullptr : correct.data() + begin);
    for (int64_t i = 0; i < rows; ++i) sum += losses[i];
    if (need_x) {
      const WeightView views[] = {head.view};
      const float* dy[] = {logits.f32()};
      LinearInputGradient(inside, views, dy, rows, dx.row(begin), false);
    }
    if (gradients && head.grad != nullptr) {
      LinearWeightGradient(inside, logits.f32(), part.f32(), rows, vocab, hidden, head.grad);
    }
  }
  *loss.f32() = static_cast<float>(sum / divisor);
  if (need_x) {
    ctx.tape->Record<BackwardHeadLoss>(ctx.arena, SavedHeadLoss{x, loss, dx.f32()}, {loss});
  }
  return loss;
}

}  // namespace galen
