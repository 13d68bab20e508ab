// The data of extraction, built in from configs/: schemas and descriptions of the kinds, names of
// units, rules with their sources.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace galen::extract {

// Path below configs/ and text of each file, sorted by path.
const std::vector<std::pair<std::string_view, std::string_view>>& BuiltinConfigs();
// Empty: there is none of that name.
std::string_view BuiltinConfig(std::string_view path);
// A file that must be there and be JSON.
Json BuiltinJson(std::string_view path);

}  // namespace galen::extract
