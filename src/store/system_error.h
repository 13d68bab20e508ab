// What the operating system refused, as a Status: a full disk says what to do.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "base/status.h"

namespace galen {

// Owns a file descriptor, with the locks on it.
struct Fd {
  int fd = -1;
  Fd() = default;
  explicit Fd(int given) : fd(given) {}
  Fd(Fd&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

// Of errno: NotFound (ENOENT), ResourceExhausted (no room, file too large), Io.
Status SystemError(const std::string& what, const std::string& path);

}  // namespace galen
