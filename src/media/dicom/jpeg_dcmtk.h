// What 8-bit libraries cannot read, by DCMTK's builds of the IJG library: lossless JPEG (process
// 14, every predictor) of 2 to 16 bits, and 12-bit DCT JPEG. Its decoders are used one frame at a
// time; nothing global is registered.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/jpeg_header.h"

namespace galen::dicom {

// Decodes to [rows, columns, components] without colour conversion, 1 byte a sample up to 8 bits of
// precision, else 2.
Result<std::vector<uint8_t>> DecodeJpegWithDcmtk(std::span<const uint8_t> bytes,
                                                 const JpegHeader& header, bool is_signed);

// Silences DCMTK's loggers, once, whichever thread comes first.
void SilenceDcmtk();

}  // namespace galen::dicom
