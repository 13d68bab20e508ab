#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galen::text {

// Standard base64 with or without padding; nothing for other characters.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace galen::text
