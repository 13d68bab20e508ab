// Base64 out (RFC 4648, with padding).
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace galen {

std::string EncodeBase64(std::span<const uint8_t> bytes);

}  // namespace galen
