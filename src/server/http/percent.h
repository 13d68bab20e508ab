#pragma once

#include <string>
#include <string_view>

namespace galen::server {

// Bytes of a text in which %XX stands for one (RFC 3986, 2.1); false: a '%' without two digits.
bool PercentDecode(std::string_view text, std::string* bytes);

}  // namespace galen::server
