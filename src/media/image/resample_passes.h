// The two passes of a separable resampling, each rounded to 8 bits.
#pragma once

#include <cstdint>
#include <optional>

#include "media/image/image.h"
#include "media/image/resample_kernels.h"
#include "media/image/resample_weights.h"

namespace galen {

struct ResamplePasses {
  std::optional<FixedWeights> columns;  // of the width; absent: unchanged
  std::optional<FixedWeights> rows;     // of the height; absent: unchanged
  bool rows_first = false;
};

Image RunPasses(const Image& image, const ResamplePasses& passes, const ResampleKernels& kernels);

}  // namespace galen
