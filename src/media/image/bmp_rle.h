// The run-length encodings of BMP.
#pragma once

#include <cstddef>

#include "base/status.h"
#include "media/image/format_readers.h"
#include "media/image/raster.h"

namespace galen {

// Fills the raster's indices (one byte a pixel, allocated) from the codes at begin. Pixels that no
// code reaches are an error, as in Pillow, except those that an end of line or a jump passes over:
// index 0.
Status ReadBmpRle(Bytes bytes, size_t begin, bool four_bits, bool top_down, Raster* raster);

}  // namespace galen
