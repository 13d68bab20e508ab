// Which addresses are of the public internet.
#pragma once

#include <sys/socket.h>

namespace galen {

// False of loopback, private, link-local, shared, multicast, reserved and documentation addresses,
// also where IPv6 carries them, and of other families than IPv4 and IPv6.
bool IsPublicAddress(const sockaddr* address);

}  // namespace galen
