// Pan-and-scan: a long image is also shown as crops along its long side. Reference: transformers
// 5.23, Gemma3ImageProcessorPil.pan_and_scan with the processor's defaults.
#pragma once

#include <cstdint>
#include <vector>

namespace galen {

struct CropBox {
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// The crops, left to right or top to bottom; none where the sides differ by less than a fifth or
// the crops would be smaller than 256 pixels. width, height >= 1.
std::vector<CropBox> PanAndScanBoxes(int64_t width, int64_t height);

}  // namespace galen
