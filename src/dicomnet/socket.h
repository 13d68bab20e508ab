// Sockets of the DICOM port.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>

#include "base/fd.h"
#include "base/status.h"

namespace galen::dicomnet {

using Clock = std::chrono::steady_clock;

// The numeric address without its port; one of IPv4 that is written as IPv6 is given as IPv4. Empty
// where it is neither.
std::string AddressText(const sockaddr* address, socklen_t size);

// Binds and listens. host: an address or a name; port 0: any free one. Errors name both.
Result<Fd> Listen(const std::string& host, int port);
int PortOf(int socket);

// False at the deadline, or when the socket has failed.
bool WaitReadable(int socket, Clock::time_point deadline);
bool WaitWritable(int socket, Clock::time_point deadline);

}  // namespace galen::dicomnet
