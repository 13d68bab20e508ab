// Pan-and-scan: a long image is also shown as crops along its long side. Reference: transformers
// 5.23, Gemma3ImageProcessorPil.pan_and_scan with the processor's defaults.
#pragma once

#include <cstdint>
#include <vector>

namespace galen {

inline constexpr double kPanAndScanMinRatio = 1.2;  // of the sides
inline constexpr int64_t kPanAndScanMinCrop = 256;  // pixels
inline constexpr int64_t kPanAndScanMaxCrops = 4;

struct CropBox {
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// The crops, left to right or top to bottom; none where the sides differ by less than the ratio or
// the crops would be smaller than the minimum. width, height >= 1.
std::vector<CropBox> PanAndScanBoxes(int64_t width, int64_t height);

}  // namespace galen
