// Unused bits of a sample (PS3.5 8.1.1): a reader must not assume anything about them.
#pragma once

#include <cstdint>
#include <span>

#include "media/dicom/pixel_format.h"

namespace galen::dicom {

// Moves each value of `bits` bits, whose lowest is bit `shift`, to bit 0 and sign- or zero-extends
// it, in place. `bytes` holds samples of `bytes_per_sample` (1, 2 or 4) in host order.
void ExtendSamples(std::span<uint8_t> bytes, int bytes_per_sample, int bits, int shift,
                   bool is_signed);

}  // namespace galen::dicom
