#include "dicomnet/web/web_client.h"

#include <utility>

#include "dicomnet/web/credentials.h"
#include "http/header_value.h"

namespace galen::dicomnet {
namespace {

constexpr char kDicomJson[] = "application/dicom+json";
constexpr int64_t kMostJson = int64_t{16} << 20;
constexpr int64_t kMostPostAnswer = int64_t{1} << 20;

bool IsDicomJson(const std::string& content_type) {
  HeaderValue type;
  return HeaderValue::Parse(content_type, &type) &&
         (type.word() == kDicomJson || type.word() == "application/json");
}

}  // namespace

Result<std::unique_ptr<WebClient>> WebClient::Open(WebOptions options) {
  const std::string origin = OriginOf(options.root);
  if (options.name.empty()) options.name = "the DICOMweb server " + origin;
  ASSIGN_OR_RETURN(std::string authorization, FindAuthorization(origin, options.credentials));
  std::unique_ptr<WebClient> client(new WebClient(std::move(options)));
  client->authorization_ = std::move(authorization);
  return client;
}

WebClient::WebClient(WebOptions options)
    : options_(std::move(options)),
      end_(std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(
               std::chrono::duration<double>(options_.total_seconds))) {
  HttpOptions http;
  http.connect_seconds = options_.connect_seconds;
  http.stall_seconds = options_.stall_seconds;
  http.retries = 0;
  http.user_agent = options_.user_agent;
  http.cancelled = [this] { return Late() || (options_.cancelled && options_.cancelled()); };
  http.may_redirect = [](const std::string& first, const std::string& next) -> Result<RedirectTo> {
    if (first == next) return RedirectTo::kAnyAddress;
    return InvalidArgument("which nobody has named; if that is right, name it instead");
  };
  http_ = std::make_unique<HttpClient>(std::move(http));
}

HttpGet WebClient::RequestTo(const std::string& path, const std::string& accept) const {
  HttpGet request;
  request.url = options_.root + path;
  request.headers = {"Accept: " + accept};
  request.authorization = authorization_;
  request.shown = options_.name;
  request.confidential = true;
  return request;
}

WebResult WebClient::Send(const HttpGet& request, const HttpClient::OnBegin& begin,
                          const HttpClient::Sink& sink) {
  HttpResult result = http_->Get(request, begin, sink);
  WebResult web{std::move(result.status), result.transient, std::move(result.response)};
  if (web.status.code() == StatusCode::kCancelled && Late()) {
    web.status = IoError(options_.name + " took longer than the " +
                         std::to_string(static_cast<int64_t>(options_.total_seconds)) +
                         " seconds that it has");
  } else if (web.status.ok() && (web.response.code < 200 || web.response.code >= 300)) {
    web.transient = IsTransientCode(web.response.code);
    web.status = Explain(web.response);
  }
  return web;
}

Status WebClient::Explain(const HttpResponse& response) const {
  const int code = response.code;
  const std::string said = options_.name + " answered with " + std::to_string(code);
  switch (code) {
    case 401:
      return InvalidArgument(
          said + ": " +
          (authorization_.empty() ? "it wants credentials" : "it does not take these credentials") +
          " (the file that GALEN_DICOMWEB_CREDENTIALS names)");
    case 403:
      return InvalidArgument(said + ": it may not be asked this with these credentials");
    case 404:
    case 410:
      return NotFound(said + ": it has no such thing, or its DICOMweb has another URL");
    case 406:
    case 415:
    case 501:
      return Unsupported(said + ": it does not do this");
    case 413:
      return ResourceExhausted(said + ": what was sent or asked for is too large for it");
    case 507:
      return ResourceExhausted(said + ": it has no room");
    default:
      return code >= 400 && code < 500 ? InvalidArgument(said) : IoError(said);
  }
}

Result<std::string> WebClient::Search(const std::string& path, const std::string& query) {
  HttpGet request = RequestTo(path + (query.empty() ? "" : "?" + query), kDicomJson);
  request.max_bytes = kMostJson;
  for (int attempt = 0;; ++attempt) {
    WebResult result = Send(request, {}, {});
    if (result.status.ok()) {
      if (result.response.body.empty()) return std::string();
      if (!IsDicomJson(result.response.Header("content-type"))) {
        return DataLoss(options_.name +
                        " sends no DICOM JSON: is it a page to log in, or another URL?");
      }
      return std::move(result.response.body);
    }
    if (!result.transient || attempt >= options_.retries || !Pause(attempt, result))
      return result.status;
  }
}

WebResult WebClient::Retrieve(const std::string& path, const std::string& accept, int64_t max_bytes,
                              const HttpClient::OnBegin& begin, const HttpClient::Sink& sink) {
  HttpGet request = RequestTo(path, accept);
  request.max_bytes = max_bytes;
  return Send(request, begin, sink);
}

WebResult WebClient::Post(const std::string& path, const std::string& content_type,
                          const std::string& accept, const std::string& body) {
  HttpGet request = RequestTo(path, accept);
  request.headers.push_back("Content-Type: " + content_type);
  request.post = &body;
  request.max_bytes = kMostPostAnswer;
  return Send(request, {}, {});
}

bool WebClient::Pause(int attempt, const WebResult& last) const {
  return http_->Pause(RetryPause(attempt, last.response));
}

}  // namespace galen::dicomnet
