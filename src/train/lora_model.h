// Training of adapters on a frozen base, dense or packed.
#pragma once

#include <memory>

#include "train/train_model.h"

namespace galen {

Result<std::unique_ptr<TrainModel>> OpenLoraModel(const TrainModelOptions& setup);

}  // namespace galen
