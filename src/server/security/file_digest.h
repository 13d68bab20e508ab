// By what digest the audit log names a model's weights.
#pragma once

#include <string>

#include "base/status.h"

namespace galen::server {

// Of a file's bytes; of a directory: of the digests and names of its *.safetensors files, by name.
// Hexadecimal.
Result<std::string> DigestOfWeights(const std::string& path);

// What changes when the files do: identity, size and times of each.
Result<std::string> StateOfWeights(const std::string& path);

}  // namespace galen::server
