// The learning rate of each step.
#pragma once

#include <cstdint>
#include <string_view>

namespace galen {

// The factor on the peak rate at step 0, 1, ...: rises linearly over `warmup` steps, then stays
// ("constant"), falls linearly to 0 at `total` ("linear"), or as half a cosine ("cosine"). As
// transformers' get_scheduler.
double ScheduleFactor(std::string_view type, int64_t step, int64_t warmup, int64_t total);

}  // namespace galen
