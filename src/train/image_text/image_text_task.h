// SigLIP models: classification heads of several labels, and pairs of images and texts.
#pragma once

#include <memory>

#include "train/train_task.h"

namespace galen {

// InvalidArgument, NotFound, Unsupported: the model is no SigLIP model, or lacks what the task
// needs.
Result<std::unique_ptr<TrainTask>> MakeImageTextTask(const TaskSetup& setup);

}  // namespace galen
