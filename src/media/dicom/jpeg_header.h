// The markers in front of a JPEG or JPEG-LS code stream (ITU T.81 annex B, T.87 annex C): what a
// frame claims to be, checked before a decoder allocates for it.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "media/dicom/pixel_format.h"

namespace galen::dicom {

struct JpegHeader {
  int process = 0;    // the SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3
                      // lossless, 0xF7 JPEG-LS
  int precision = 0;  // bits of a sample
  int64_t rows = 0;
  int64_t columns = 0;
  int components = 0;
  uint8_t ids[4] = {};  // of the components
  bool jfif = false;
  int adobe_transform = -1;  // of the APP14 marker, -1 without one

  bool rgb_ids() const;  // the components are named R, G, B
};

// Fails when there is no frame header, when it contradicts the image module, or when the stream has
// more than 100 scans: each costs a pass over the image, and a hostile stream holds thousands.
Result<JpegHeader> ReadJpegHeader(std::span<const uint8_t> bytes, const PixelFormat& format);

}  // namespace galen::dicom
