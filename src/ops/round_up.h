#pragma once

#include <cstdint>

namespace galen {

// The least multiple of unit that is not below n >= 0.
constexpr int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace galen
