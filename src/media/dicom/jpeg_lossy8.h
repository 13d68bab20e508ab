// 8-bit DCT JPEG (baseline, extended, progressive) by libjpeg-turbo: its accurate integer IDCT and
// its smooth chroma upsampling, which give pydicom's values when it decodes with Pillow, and the
// pixels of public slide exports.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/jpeg_header.h"

namespace galen::dicom {

// Decodes to [rows, columns, components] bytes without any colour conversion. A stream that ends
// early is an error.
Result<std::vector<uint8_t>> DecodeJpegLossy8(std::span<const uint8_t> bytes,
                                              const JpegHeader& header);

}  // namespace galen::dicom
