// Text of networks and disks, fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace galen {

// As JSON writes it, 300 bytes at most: no control characters reach a terminal.
std::string Shown(std::string_view text);

}  // namespace galen
