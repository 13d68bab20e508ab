// SHA-256 (FIPS 180-4): names of blobs and digests of media in what the program reports.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace galen {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::span<const uint8_t> bytes);

}  // namespace galen
