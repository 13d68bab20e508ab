// Answers of conversations, by a decoder: all parameters or adapters, with images or without.
#pragma once

#include <memory>

#include "train/train_task.h"

namespace galen {

// InvalidArgument: the model is no decoder, or its positions end before max_seq_length.
Result<std::unique_ptr<TrainTask>> MakeLanguageTask(const TaskSetup& setup);

}  // namespace galen
