// The arithmetic that a training step cannot do without.
#pragma once

#include "models/model_config.h"
#include "models/vision/vision_config.h"
#include "train/collator.h"

namespace galen {

struct StepWork {
  // All parameters are trained, and each matrix is multiplied once more, for its gradient; else the
  // base is frozen.
  bool full = false;
  // Of a tower that is part of the step; null: there is none.
  const VisionConfig* tower = nullptr;
};

// Each matrix of the layers once forward and once for the gradient of its input (4 x parameters x
// tokens; with its own gradient 6), the output head the same for rows with a label, the tower the
// same for its patches, and attention forward (4 x visible pairs x head size) and back (twice
// that). Products with adapters and whatever is computed again are not counted.
double StepFlops(const ModelConfig& config, const FlatBatch& batch, const StepWork& work = {});

}  // namespace galen
