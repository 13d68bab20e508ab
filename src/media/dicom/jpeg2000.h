// JPEG 2000 and its high-throughput form by OpenJPEG, which undoes the multi-component
// transformation itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/pixel_format.h"

namespace galen::dicom {

struct Jpeg2000Frame {
  std::vector<int32_t> values;  // [rows, columns, components]
  int precision = 0;            // bits of a sample
  bool is_signed = false;
};

// Decodes a code stream, or a JP2 file (which PS3.5 forbids and some writers produce). Its size
// must be that of the image.
Result<Jpeg2000Frame> DecodeJpeg2000(std::span<const uint8_t> bytes, const PixelFormat& format);

}  // namespace galen::dicom
