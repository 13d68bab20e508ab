// Errors as the clients of each API expect them.
#pragma once

#include <string>

#include "base/status.h"
#include "server/http/router.h"

namespace galen::server {

struct ApiError {
  int status = 500;
  std::string message;
  std::string param;    // the field that is wrong, if one is
  int retry_after = 0;  // seconds; 0: no such header
};

// 400 for what a request got wrong, 404 for what does not exist, 500 otherwise.
ApiError ErrorOf(const Status& status, std::string param = "");

HttpResponse ErrorResponse(Dialect dialect, const ApiError& error);
// The object alone, for errors in the middle of a stream.
std::string ErrorBody(Dialect dialect, const ApiError& error);

}  // namespace galen::server
