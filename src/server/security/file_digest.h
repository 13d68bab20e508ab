// SHA-256 of large files by OpenSSL, which uses the processor's instructions for it.
#pragma once

#include <string>

#include "base/status.h"

namespace galen::server {

// Of a file's bytes; of a directory: of the digests and names of its *.safetensors files, by name.
// Hexadecimal.
Result<std::string> DigestOfWeights(const std::string& path);

}  // namespace galen::server
