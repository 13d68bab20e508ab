#include "store/system_error.h"

#include <cerrno>
#include <cstring>

namespace galen {

Status SystemError(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string message = what + " " + path + ": " + std::strerror(error);
  switch (error) {
    case ENOENT:
      return NotFound(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ResourceExhausted(message +
                               "; make room (`galen list`, `galen rm`) or put the store elsewhere "
                               "with GALEN_STORE, then run the same again: what is there is kept");
    case EROFS:
    case EACCES:
      return IoError(message + "; GALEN_STORE names another place for the store");
    default:
      return IoError(message);
  }
}

}  // namespace galen
