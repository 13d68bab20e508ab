// NumPy's array files, version 1.0:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace galen {

// Writes [rows, cols] floats ("<f4", C order), atomically. values.size() == rows * cols.
Status WriteNpy(const std::string& path, std::span<const float> values, int64_t rows, int64_t cols);

}  // namespace galen
