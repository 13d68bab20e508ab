// Images to PNG: 8 bits a channel, grey or RGB, lossless.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

Result<std::vector<uint8_t>> EncodePng(const Image& image);
// Written beside path and renamed: a failure leaves nothing half-written.
Status WritePng(const std::string& path, const Image& image);

}  // namespace galen
