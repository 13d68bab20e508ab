// nlohmann-json behind our error type, with a depth limit, since the library recurses when it
// destroys a value.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/status.h"

namespace galen {

using Json = nlohmann::json;

// Parses UTF-8 JSON. Fails with line and column on a syntax error, on invalid UTF-8 and on nesting
// deeper than max_depth; ResourceExhausted: more than max_values values, which takes no more memory
// than those.
Result<Json> ParseJson(std::string_view text, int max_depth = 256,
                       int64_t max_values = std::numeric_limits<int64_t>::max());

}  // namespace galen
