// The arithmetic that a training step cannot do without.
#pragma once

#include "models/model_config.h"
#include "train/collator.h"

namespace galen {

// Of a frozen base: each matrix of the layers once forward and once for the gradient of its input
// (4 x parameters x tokens), the output head the same for rows with a label, and attention forward
// (4 x visible pairs x head size) and back (twice that). Products with trained matrices and
// whatever is computed again are not counted.
double StepFlops(const ModelConfig& config, const FlatBatch& batch);

}  // namespace galen
