// Numbers of a JSON text that its parser cannot keep: it has 64 bits for whole numbers and doubles
// for all others.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace galen::grammar {

// By address in `parsed`, the document that `text` was parsed to: each number whose value there is
// not the one that is written, as it is written. `text` must be valid JSON.
std::map<const nlohmann::ordered_json*, std::string> InexactNumbers(
    std::string_view text, const nlohmann::ordered_json& parsed);

}  // namespace galen::grammar
