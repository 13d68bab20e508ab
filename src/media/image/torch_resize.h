// Resampling that equals PyTorch's, for checkpoints whose processor resizes tensors instead of
// Pillow images.
#pragma once

#include <cstdint>

#include "media/image/image.h"
#include "media/image/resize.h"

namespace galen {

// torch.nn.functional.interpolate(image, (height, width), mode=..., antialias=True,
// align_corners=False) on a uint8 tensor on the CPU, as torchvision's resize calls it. filter:
// kBilinear or kBicubic; sizes at least 1. Arithmetic (ATen's UpSampleKernel.cpp): Pillow's rule
// for the weights, then 16-bit integers with as many fractional bits as the largest weight of that
// axis leaves; columns first, each pass rounded to 8 bits.
Image ResizeTorch(const Image& image, int64_t width, int64_t height, Filter filter);

}  // namespace galen
