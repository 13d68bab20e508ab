// JPEG-LS, lossless and near-lossless (ITU T.87), by DCMTK's CharLS.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/jpeg_header.h"

namespace galen::dicom {

// Decodes to [rows, columns, components], 1 byte a sample up to 8 bits of precision, else 2.
// JPEG-LS knows no sign.
Result<std::vector<uint8_t>> DecodeJpegLs(std::span<const uint8_t> bytes, const JpegHeader& header);

}  // namespace galen::dicom
