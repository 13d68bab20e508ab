#pragma once

#include <string>
#include <string_view>

namespace galen {

// Bytes of a text in which %XX stands for one (RFC 3986, 2.1); false: a '%' without two digits.
bool PercentDecode(std::string_view text, std::string* bytes);

// The other way round: all bytes but letters, digits and "-._~" as %XX.
std::string PercentEncode(std::string_view text);

}  // namespace galen
