// The golden vectors of image-text models, replayed.
#pragma once

#include <memory>

#include "formats/checkpoint.h"
#include "formats/hf_config.h"
#include "ops/exec_context.h"

namespace galen {

// The logits that the model in `file` (weights, "pixels" [n, 3, side, side], and with a text tower
// "ids" and "lengths") gives: of its head, or of each image with each text. `hf` is its
// config.json. ctx.observer sees the activations on the way.
Result<Tensor> ReplayDualEncoder(ExecContext& ctx, const std::shared_ptr<const Checkpoint>& file,
                                 const HfConfig& hf);

}  // namespace galen
