// `galen bench --shape` of an image tower.
#pragma once

#include "bench_subject.h"

namespace galen::cli {

// {"machine", "results"}; result encode_image: seconds of one image, the median of the repeats, of
// o.streams images at once.
Result<Json> MeasureTower(const BenchOptions& o);

}  // namespace galen::cli
