#include "dicomnet/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace galen::dicomnet {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> Resolve(const std::string& host, int port, int flags) {
  addrinfo hints = {}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return IoError("the host '" + host + "' has no address: " + ::gai_strerror(code));
  return Addresses(found, ::freeaddrinfo);
}

Status SocketError(const std::string& what, const std::string& host, int port, int code) {
  return IoError(what + " " + host + ":" + std::to_string(port) + ": " + std::strerror(code));
}

bool Wait(int socket, short events, Clock::time_point deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd one = {socket, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return true;  // an error shows in what is done next
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

std::string AddressText(const sockaddr* address, socklen_t size) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    }
  }
  return text;
}

Result<Fd> Listen(const std::string& host, int port) {
  constexpr int kBacklog = 32;
  // A whole association request must fit: see association.cc. Inherited by what is accepted.
  constexpr int kReceiveBuffer = 512 << 10;
  ASSIGN_OR_RETURN(const Addresses addresses, Resolve(host, port, AI_PASSIVE));
  int code = 0;
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    Fd socket(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                       one->ai_protocol));
    const int yes = 1;
    if (socket.fd >= 0 &&
        ::setsockopt(socket.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
        ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(int)) == 0 &&
        ::bind(socket.fd, one->ai_addr, one->ai_addrlen) == 0 &&
        ::listen(socket.fd, kBacklog) == 0) {
      return socket;
    }
    code = errno;
  }
  return SocketError("cannot listen for DICOM on", host, port, code);
}

int PortOf(int socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  in_port_t port = 0;
  if (address.ss_family == AF_INET) {
    port = reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
  } else if (address.ss_family == AF_INET6) {
    port = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port;
  }
  return ntohs(port);
}

bool WaitReadable(int socket, Clock::time_point deadline) { return Wait(socket, POLLIN, deadline); }

bool WaitWritable(int socket, Clock::time_point deadline) {
  return Wait(socket, POLLOUT, deadline);
}

}  // namespace galen::dicomnet
