// The image pixel module (PS3.3 C.7.6.3): the shape of a frame, checked.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/options.h"

namespace galen::dicom {

struct PixelFormat {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t frames = 0;
  int samples = 1;
  int bits_allocated = 0;  // 1, 8, 16 or 32; 32 or 64 for floating point
  int bits_stored = 0;
  int high_bit = 0;
  bool is_signed = false;
  bool is_float = false;
  bool planar = false;      // planes one after the other (native pixels only)
  std::string photometric;  // MONOCHROME2, RGB, ...

  int64_t pixels() const { return rows * columns; }
  int64_t values() const { return rows * columns * samples; }
  // Bytes of a decoded sample; one-bit pixels become bytes.
  int bytes_per_sample() const { return bits_allocated == 1 ? 1 : bits_allocated / 8; }
  int64_t frame_bytes() const { return values() * bytes_per_sample(); }
  // YBR_FULL_422 without compression holds two chroma values for each pair of pixels (PS3.3
  // C.7.6.3.1.2).
  bool subsampled() const { return photometric == "YBR_FULL_422"; }
};

// Reads and checks the module; kNotFound when the data set has no pixels, kResourceExhausted above
// max_frame_bytes.
Result<PixelFormat> ReadPixelFormat(const DataSet& data_set, const DicomOptions& options,
                                    DicomWarnings* warnings);

// The element that holds the pixels, or null.
const Element* FindPixels(const DataSet& data_set);

}  // namespace galen::dicom
