// nlohmann-json behind our error type, with a depth limit, since the library recurses when it
// destroys a value.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/status.h"

namespace galen {

using Json = nlohmann::json;

// Parses UTF-8 JSON. Fails with the byte offset on a syntax error, on invalid UTF-8 and on nesting
// deeper than max_depth.
Result<Json> ParseJson(std::string_view text, int max_depth = 256);

}  // namespace galen
