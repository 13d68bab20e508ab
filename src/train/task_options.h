// Which options have a meaning for which task.
#pragma once

#include "train/options.h"

namespace galen {

// InvalidArgument: an option has been given that options.task does not know.
Status CheckTask(const TrainOptions& options);

}  // namespace galen
