// Errors are values. Anything that a user, a file or a network can cause is a Status that says
// what, where and what to do. A bug of our own throws InternalError through GALEN_CHECK: only the
// engine, trainer and server loops catch it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace galen {

enum class StatusCode {
  kOk,
  kInvalidArgument,    // the caller's request or option is wrong
  kNotFound,           // a file, tensor, name or key does not exist
  kDataLoss,           // a file is truncated, corrupt or hostile
  kUnsupported,        // valid, but galen does not do it
  kResourceExhausted,  // memory, context, pages or a limit
  kCancelled,          // stopped on request
  kIo,                 // the operating system refused
};

// Returns "invalid argument", "data loss", ...
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Returns this error with "context: " in front of its message; an ok status stays ok.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }
inline Status InvalidArgument(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status DataLoss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
inline Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
inline Status ResourceExhausted(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
inline Status IoError(std::string m) { return {StatusCode::kIo, std::move(m)}; }

// A bug in galen itself. Never thrown for bad input.
class InternalError : public std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] void ThrowInternalError(const char* file, int line, const char* expression);

#define GALEN_CHECK(expression)            \
  (static_cast<bool>(expression) ? void(0) \
                                 : ::galen::ThrowInternalError(__FILE__, __LINE__, #expression))
#ifdef NDEBUG
#define GALEN_DCHECK(expression) void(0)
#else
#define GALEN_DCHECK(expression) GALEN_CHECK(expression)
#endif

// A value or the error that kept it from existing.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : value_(std::move(value)) {}  // NOLINT: implicit on purpose, as in absl::StatusOr
  Result(Status status) : status_(std::move(status)) { GALEN_CHECK(!status_.ok()); }  // NOLINT

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  T& value() & {
    GALEN_CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    GALEN_CHECK(ok());
    return *value_;
  }
  T&& value() && {
    GALEN_CHECK(ok());
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

#define GALEN_CONCAT_INNER(a, b) a##b
#define GALEN_CONCAT(a, b) GALEN_CONCAT_INNER(a, b)
#define RETURN_IF_ERROR(expression)                                               \
  do {                                                                            \
    if (::galen::Status status__ = (expression); !status__.ok()) return status__; \
  } while (false)
#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_INNER(GALEN_CONCAT(result__, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_INNER(result, lhs, expression) \
  auto result = (expression);                           \
  if (!result.ok()) return result.status();             \
  lhs = std::move(result).value()

}  // namespace galen
