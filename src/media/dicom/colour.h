// Colour (PS3.3 C.7.6.3.1): palettes and YCbCr to RGB.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/lookup_table.h"
#include "media/dicom/stored_frame.h"

namespace galen::dicom {

struct Palette {
  LookupTable red, green, blue;
};

// The palette of the image, plain or segmented (PS3.3 C.7.9.2). Entries keep their depth, 8 or 16
// bits.
Result<Palette> ReadPalette(const DataSet& data_set, bool is_signed);

// Expands segments into the entries of a table, never more than `count`.
Result<std::vector<uint16_t>> ExpandSegments(std::span<const uint16_t> segments, size_t count,
                                             bool bytes, bool big_endian);

// YBR_FULL to RGB in place, 8 bits (PS3.3 C.7.6.3.1.2, ITU T.871), with pydicom's rounding: single
// precision, fused multiply-add in the order of the columns, half up.
void YbrToRgb(std::span<uint8_t> pixels);

}  // namespace galen::dicom
