// Images to baseline JPEG: 8 bits a channel, grey or RGB (4:2:0).
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

// quality: 1 to 100, as libjpeg scales its tables. The same pixels give the same bytes.
Result<std::vector<uint8_t>> EncodeJpeg(const Image& image, int quality);

}  // namespace galen
