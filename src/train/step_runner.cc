#include "train/step_runner.h"

#include <algorithm>
#include <cmath>

#include "ops/head_loss.h"

namespace galen {

Result<StepRunner> StepRunner::Create(const CausalLM& model, const StepRunnerOptions& options,
                                      int64_t arena_bytes) {
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(arena_bytes));
  return StepRunner(&model, options, std::move(arena));
}

Batch StepRunner::WithImages(ExecContext& ctx, const FlatBatch& batch) {
  Batch flat = batch.batch();
  sources_.clear();
  if (batch.images.empty()) return flat;
  Tensor rows;
  if (batch.views.empty()) {
    const int64_t cols = model_->config().hidden_size;
    const auto n = static_cast<int64_t>(batch.vectors.size()) / cols;
    // The model only reads them.
    rows = MakeTensor(const_cast<float*>(batch.vectors.data()), {n, cols});
  } else {
    GALEN_CHECK(options_.tower != nullptr && batch.views.size() == batch.images.size());
    std::vector<ImageGrid> grids;
    std::vector<int64_t> first;
    int64_t patches = 0;
    for (const PreparedImage& view : batch.views) {
      grids.push_back(view.grid);
      first.push_back(patches);
      patches += view.grid.patches();
    }
    ImageBatch images;
    images.patches = arena_.NewTensor({patches, options_.tower->config().patch_values()});
    images.grids = grids;
    images.corners = batch.corners;
    WorkQueue queue(static_cast<int64_t>(grids.size()), 1);
    options_.pool->Run([&](int) {
      for (int64_t i, end; queue.Next(&i, &end);) {
        const auto at = static_cast<size_t>(i);
        options_.processor->FillPatches(batch.views[at], images.patches.row(first[at]));
      }
    });
    rows = options_.tower->Forward(ctx, images);
  }
  int64_t at = 0;
  for (const ImageRows& image : batch.images) {
    sources_.push_back({rows, at, image.row, image.count});
    at += image.count;
  }
  GALEN_CHECK(at == rows.rows());
  flat.embeddings = sources_;
  return flat;
}

double StepRunner::Loss(const FlatBatch& batch, double divisor, bool backward,
                        uint64_t dropout_key) {
  ExecContext ctx = NewPass(options_, &arena_);
  ctx.dropout_key = dropout_key;
  return LossOf(ctx, backward, [&](ExecContext& c) {
    const Tensor x = model_->Hidden(c, WithImages(c, batch));
    return x.empty() ? x : HeadCrossEntropy(c, x, head(), batch.targets, divisor);
  });
}

double StepRunner::Evaluate(const FlatBatch& batch, int64_t* exact) {
  ExecContext ctx = NewPass(options_, &arena_);
  ctx.recompute = false;  // nothing is computed again: the fastest form
  const Tensor x = model_->Hidden(ctx, WithImages(ctx, batch));
  std::vector<uint8_t> correct(batch.targets.size());
  const double loss =
      x.empty() ? 0 : *HeadCrossEntropy(ctx, x, head(), batch.targets, 1.0, correct).f32();
  size_t row = 0;
  for (const SequenceSpan& span : batch.spans) {
    bool all = true;
    for (; row < correct.size() && batch.logit_rows[row] < span.end; ++row) {
      all = all && correct[row] != 0;
    }
    *exact += all ? 1 : 0;
  }
  return loss;
}

std::string StepRunner::FirstBadActivation(const FlatBatch& batch) {
  ExecContext ctx = NewPass(options_, &arena_);
  Tensor x;
  const std::string first =
      FirstBadOf(ctx, [&](ExecContext& c) { x = model_->Hidden(c, WithImages(c, batch)); });
  if (!first.empty() || x.empty()) return first;
  const Tensor loss = HeadCrossEntropy(ctx, x, head(), batch.targets, 1.0);
  return std::isfinite(*loss.f32()) ? "" : "logits";
}

}  // namespace galen
