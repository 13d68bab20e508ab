// What keeps web pages away from a server on the same machine: a page's requests carry its origin,
// and a name that was re-bound to 127.0.0.1 stands in Host.
#pragma once

#include <string>
#include <string_view>

#include "server/http/message.h"

namespace galen::server {

bool IsLoopback(std::string_view host);

// Empty, or why the request is refused. loopback_only: the server listens on loopback without keys,
// so that Host must name this machine.
std::string BrowserFault(const RequestHead& head, bool loopback_only);

}  // namespace galen::server
