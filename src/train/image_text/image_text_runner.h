// One forward pass and the way back over one batch of images.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/dual_encoder/dual_encoder.h"
#include "models/dual_encoder/image_preparer.h"
#include "tensor/arena.h"
#include "train/pass.h"
#include "train/train_task.h"

namespace galen {

struct ImageTextBatch final : TaskBatch {
  int64_t size = 0;             // images
  std::vector<Image> images;    // fitted, for a tower that is part of the pass
  std::vector<float> vectors;   // [size, cols] of a frozen one
  std::vector<int8_t> targets;  // of a head, [size, classes]; of pairs, [size, size]
  std::vector<int32_t> ids;     // of pairs: texts as the tower takes them, all of one length
};

struct ImageTextRunnerOptions : TrainPass {
  const ImagePreparer* preparer = nullptr;
  std::vector<float> positive_weights;  // of a head
};

// Upper bound of what a pass of n images takes from the arena. layers: those of each tower that are
// trained; 0: all.
int64_t ImageTextArenaBytes(const DualEncoder& network, const TrainPass& options, int64_t layers,
                            int64_t n);
// As StepReport::flops.
double ImageTextFlops(const DualEncoderConfig& config, int64_t layers, int64_t n);

// Not thread-safe. One arithmetic whatever the number of images and workers.
class ImageTextRunner {
 public:
  // The network must outlive the result. arena_bytes: ImageTextArenaBytes of the largest batch.
  static Result<ImageTextRunner> Create(const DualEncoder& network,
                                        const ImageTextRunnerOptions& options, int64_t arena_bytes);

  // The sum over the batch's targets divided by `divisor`; adds to the gradients.
  double Loss(const ImageTextBatch& batch, double divisor);
  // The sum of the losses; *logits is as the targets.
  double Evaluate(const ImageTextBatch& batch, std::vector<float>* logits);
  std::string FirstBadActivation(const ImageTextBatch& batch);

 private:
  ImageTextRunner(const DualEncoder& network, ImageTextRunnerOptions options, Arena arena)
      : network_(&network), options_(std::move(options)), arena_(std::move(arena)) {}
  Tensor Patches(ExecContext& ctx, const ImageTextBatch& batch) const;
  Tensor Logits(ExecContext& ctx, const ImageTextBatch& batch) const;
  Tensor LossOfLogits(ExecContext& ctx, const ImageTextBatch& batch, const Tensor& logits,
                      double divisor) const;

  const DualEncoder* network_;
  ImageTextRunnerOptions options_;
  Arena arena_;
};

}  // namespace galen
