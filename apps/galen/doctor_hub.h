// What `galen doctor hf:org/name` says: whose token, is access granted, which licence, what of it
// is here, does it fit.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace galen::cli {

// Fails only where nothing can be said: a malformed name. available: bytes of memory.
Result<Json> LookAtHub(const std::string& name, const std::string& token_file, int64_t available);
void PrintHub(const Json& report);

}  // namespace galen::cli
