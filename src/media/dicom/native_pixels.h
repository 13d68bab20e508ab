// Uncompressed pixels (PS3.5 8.1, 8.2): byte order, packed bits, planes, and the shared chroma of
// YBR_FULL_422.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/pixel_format.h"

namespace galen::dicom {

// Decodes frame i of `pixels`, the value of a native pixel data element, to [rows, columns,
// samples] in host order. Frames that the file holds whole are read even when it is cut off later.
// `words` says that 8-bit samples lie in 16-bit words (VR OW), which matters in big endian.
Result<std::vector<uint8_t>> DecodeNative(std::span<const uint8_t> pixels, int64_t i,
                                          const PixelFormat& format, bool big_endian, bool words);

// Turns [samples, pixels] into [pixels, samples].
std::vector<uint8_t> Interleave(std::span<const uint8_t> planes, int64_t pixels, int samples,
                                int bytes_per_sample);

}  // namespace galen::dicom
