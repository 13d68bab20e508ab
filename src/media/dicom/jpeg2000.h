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

// Whether some coding style marker (COD or COC, ITU T.800 A.6.1, T.814 A.4) asks for
// high-throughput blocks. May be true by chance for a stream without, never false for one with.
bool MayHaveHighThroughputBlocks(std::span<const uint8_t> bytes);

// Decodes a code stream, or a JP2 file (which PS3.5 forbids and some writers produce). Its size
// must be that of the image.
Result<Jpeg2000Frame> DecodeJpeg2000(std::span<const uint8_t> bytes, const PixelFormat& format);

}  // namespace galen::dicom
