#include "base/status.h"

namespace galen {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kDataLoss:
      return "data loss";
    case StatusCode::kUnsupported:
      return "unsupported";
    case StatusCode::kResourceExhausted:
      return "resource exhausted";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kIo:
      return "i/o error";
  }
  return "unknown";
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(code_, std::string(context) + ": " + message_);
}

void ThrowInternalError(const char* file, int line, const char* expression) {
  throw InternalError(std::string("internal error: ") + file + ":" + std::to_string(line) + ": " +
                      expression +
                      " does not hold; please report this with the command that you ran");
}

}  // namespace galen
