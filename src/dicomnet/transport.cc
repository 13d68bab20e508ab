#include "dicomnet/transport.h"

#include <algorithm>
#include <cerrno>

namespace galen::dicomnet {
namespace {

constexpr int64_t kMeasure = int64_t{1} << 20;

class LimitedConnection : public DcmTCPConnection {
 public:
  LimitedConnection(DcmNativeSocketType socket, TransportLimits* limits)
      : DcmTCPConnection(socket), limits_(*limits) {}

  ssize_t read(void* buffer, size_t size) override {
    if (limits_.allowed <= 0) {
      limits_.excessive = true;
      errno = EMSGSIZE;
      return -1;
    }
    size = std::min(size, static_cast<size_t>(limits_.allowed));
    while (true) {
      if (!WaitReadable(getSocket(), limits_.deadline)) return Late();
      const ssize_t n = ::recv(getSocket(), buffer, size, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
      if (n > 0) {
        limits_.allowed -= n;
        Count(n);
      }
      return n;
    }
  }

  ssize_t write(void* buffer, size_t size) override {
    while (true) {
      if (!WaitWritable(getSocket(), limits_.deadline)) return Late();
      const ssize_t n = ::send(getSocket(), buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
      if (n > 0) Count(n);
      return n;
    }
  }

  OFBool networkDataAvailable(int seconds) override {
    const Clock::time_point asked = Clock::now() + std::chrono::seconds(std::max(seconds, 0));
    if (seconds <= 0) return WaitReadable(getSocket(), Clock::now() + std::chrono::milliseconds(1));
    return WaitReadable(getSocket(), std::min(asked, limits_.deadline));
  }

 private:
  ssize_t Late() {
    limits_.late = true;
    errno = ETIMEDOUT;
    return -1;
  }
  void Count(ssize_t n) {
    limits_.measured += n;
    if (limits_.measured < kMeasure) return;
    limits_.measured = 0;
    limits_.deadline = Clock::now() + limits_.timeout;
  }

  TransportLimits& limits_;
};

}  // namespace

DcmTransportConnection* LimitedLayer::createConnection(DcmNativeSocketType socket, OFBool secure) {
  return secure ? nullptr : new LimitedConnection(socket, limits_);
}

}  // namespace galen::dicomnet
