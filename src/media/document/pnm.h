// Binary portable pixmaps (P5, P6 with 8 bits), as poppler writes pages.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

// The first image in `bytes`. Fails on another format, on sides above max_side, and if pixels are
// missing.
Result<Image> ReadPnm(std::string_view bytes, int64_t max_side);

}  // namespace galen
