// galen bench --train: one training step of adapters on a packed base.
#pragma once

#include "bench_subject.h"

namespace galen::cli {

// {"machine", "results"}; result train_step: seconds of forward, back and update over o.prompt
// tokens, the median of the repeats, and what of the machine's arithmetic the needed products take.
Result<Json> MeasureTrainStep(const BenchOptions& o);

}  // namespace galen::cli
