// From physical values of slices to 8-bit pixels, and which slices are shown.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "media/image/image.h"

namespace galen {

// One window a channel: clip to [low, high], scale to 0..255 in single precision (subtract, divide,
// multiply, in this order), round half to even, as Google's CT notebook computes with NumPy. A
// single window fills all three channels. What is no number becomes black. windows.size() is 1
// or 3.
Image WindowsToRgb(std::span<const float> values, int64_t width, int64_t height,
                   std::span<const std::array<double, 2>> windows);

// Which of n slices are shown when at most `most` may be: all of them, or round(i / most * (n - 1))
// for i = 1 .. most, rounding halves to even, as the notebook does. The first slice is not among
// them then.
std::vector<int64_t> SpreadIndices(int64_t n, int64_t most);

// Percentiles (0 to 100) of the finite values, by linear interpolation between neighbours (NumPy's
// default). Values are moved around. {0, 1} where no value is finite; the upper one is raised by 1
// where both are equal.
std::array<double, 2> PercentileWindow(std::vector<float>* values,
                                       const std::array<double, 2>& percentiles);

}  // namespace galen
