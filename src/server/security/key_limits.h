// What a key may ask.
#pragma once

#include <cstdint>

namespace galen::server {

// 0: no limit.
struct KeyLimits {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t tokens_per_day = 0;  // days are those of UTC
  bool any() const { return requests_per_minute + tokens_per_minute + tokens_per_day > 0; }
};

}  // namespace galen::server
