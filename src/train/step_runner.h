// One forward pass and the way back over one flat batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "models/vision/image_processor.h"
#include "tensor/arena.h"
#include "train/collator.h"
#include "train/pass.h"

namespace galen {

struct StepRunnerOptions : TrainPass {
  // Of a tower that is trained or adapted; null: images of batches bring their vectors.
  const ImageTower* tower = nullptr;
  const ImageProcessor* processor = nullptr;
  const Weight* head = nullptr;  // null: the model's own
};

// Not thread-safe. One arithmetic whatever the number of rows and workers.
class StepRunner {
 public:
  // arena_bytes: what TrainArena and TowerTrainArena say of the largest batch.
  static Result<StepRunner> Create(const CausalLM& model, const StepRunnerOptions& options,
                                   int64_t arena_bytes);

  // The batch's share of the mean loss: the sum over its labels divided by `divisor`. backward:
  // adds to the gradients of the trained parameters, with dropout by dropout_key (0: none).
  double Loss(const FlatBatch& batch, double divisor, bool backward, uint64_t dropout_key = 0);
  // The sum of the losses; *exact grows by the sequences of which greedy decoding would say every
  // labelled token.
  double Evaluate(const FlatBatch& batch, int64_t* exact);
  // The name of the first activation of a forward pass that is not finite: "embed_tokens",
  // "layers.3", "norm", "logits", "vision.layers.0"; empty: all are.
  std::string FirstBadActivation(const FlatBatch& batch);

  int64_t arena_high_water() const { return arena_.high_water(); }

 private:
  StepRunner(const CausalLM* model, const StepRunnerOptions& options, Arena arena)
      : model_(model), options_(options), arena_(std::move(arena)) {}
  const Weight& head() const { return options_.head == nullptr ? model_->head() : *options_.head; }
  // The batch with the vectors of its images.
  Batch WithImages(ExecContext& ctx, const FlatBatch& batch);

  const CausalLM* model_;
  StepRunnerOptions options_;
  Arena arena_;
  std::vector<RowSource> sources_;  // of the batch at hand, until its tape has run
};

}  // namespace galen
