#include "server/http/socket_writer.h"

#include <sys/socket.h>

#include <cerrno>

namespace galen::server {

Reply::Sent SocketWriter::operator()(std::string_view data) {
  bytes_.clear();
  AddStreamBytes(data, false, framing_, &bytes_);
  Reply::Sent sent;
  ssize_t n = 0;
  do {
    n = ::send(socket_, bytes_.data(), bytes_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    sent.failed = errno != EAGAIN && errno != EWOULDBLOCK;
    n = 0;
  }
  sent.bytes = n;
  if (!sent.failed) sent.rest = bytes_.substr(static_cast<size_t>(n));
  return sent;
}

}  // namespace galen::server
