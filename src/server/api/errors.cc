#include "server/api/errors.h"

#include "server/api/write_json.h"

namespace galen::server {
namespace {

const char* TypeOf(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

ApiError ErrorOf(const Status& status, std::string param) {
  ApiError error;
  error.message = status.message();
  error.param = std::move(param);
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kDataLoss:
    case StatusCode::kUnsupported:
    case StatusCode::kResourceExhausted:
      error.status = 400;
      break;
    case StatusCode::kNotFound:
      error.status = 404;
      break;
    default:
      error.status = 500;
  }
  return error;
}

std::string ErrorBody(Dialect dialect, const ApiError& error) {
  if (dialect == Dialect::kOllama) return WriteJson(Json{{"error", error.message}});
  Json json;
  json["message"] = error.message;
  json["type"] = TypeOf(error.status);
  json["param"] = error.param.empty() ? Json() : Json(error.param);
  json["code"] = error.status == 404 && error.param == "model" ? Json("model_not_found") : Json();
  return WriteJson(Json{{"error", json}});
}

HttpResponse ErrorResponse(Dialect dialect, const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body = ErrorBody(dialect, error);
  if (error.retry_after > 0)
    response.headers.emplace_back("Retry-After", std::to_string(error.retry_after));
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace galen::server
