// RLE Lossless (PS3.5 annex G): byte planes, most significant first, each packed as PackBits does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/pixel_format.h"

namespace galen::dicom {

// Decodes one frame to [rows, columns, samples] in host order.
Result<std::vector<uint8_t>> DecodeRle(std::span<const uint8_t> bytes, const PixelFormat& format);

}  // namespace galen::dicom
