// What the numbers of a run depend on: a run is continued with the same, or refused.
#pragma once

#include "base/json.h"
#include "train/data_report.h"
#include "train/options.h"

namespace galen {

Json RunIdentity(const TrainOptions& options, const DataReport& data, int64_t total_steps);
// InvalidArgument names the first difference.
Status CheckIdentity(const Json& saved, const Json& now);

}  // namespace galen
