// HTTP requests (hubs and registries, DICOMweb), by libcurl: TLS checked, times and sizes limited,
// proxies as the environment says (HTTPS_PROXY, NO_PROXY, ...), redirects followed here, so that
// credentials never reach another host.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen {

struct HttpGet {
  std::string url;  // http or https
  std::vector<std::string> headers;
  // Sent as a bearer token to the scheme, host and port of `url` alone, over TLS or to this machine
  // only.
  std::string token;
  // The value of the header Authorization, in place of a token and under the same rules.
  std::string authorization;
  bool head = false;             // no body
  bool follow = true;            // redirects, ten at most, never from https to http
  int64_t offset = 0;            // the body is wanted from this byte on
  int64_t max_bytes = 16 << 20;  // a longer body is an error
  // Sent by POST, where not null; no redirect is followed then. Outlives the request.
  const std::string* post = nullptr;
  // Names the URL in messages; empty: by its place.
  std::string shown;
  // What goes to and fro is no proxy's business: without TLS none is used.
  bool confidential = false;
};

struct HttpResponse {
  int code = 0;                                // 200, 404, ...
  std::map<std::string, std::string> headers;  // names in lower case; of the last response
  // Of the first response where the request was redirected: what a hub says before.
  std::map<std::string, std::string> first_headers;
  std::string url;   // where it came from in the end
  std::string body;  // of errors, and where there is no sink; cut after max_bytes

  std::string Header(const std::string& name) const;  // empty: none
};

// What became of a request. Answers like 404 are ok(): the caller knows what they mean.
struct HttpResult {
  Status status;
  bool transient = false;  // an error that may go away: cut connections, times out, names unknown
  HttpResponse response;
};

enum class RedirectTo {
  kAnyAddress,
  kPublicAddress,  // of the public internet (IsPublicAddress), unless a proxy is asked to go there
};

struct HttpOptions {
  double connect_seconds = 20;
  // A server that sends less than 1 KiB a second for so long is given up.
  double stall_seconds = 60;
  int retries = 5;  // after the first try, of what may go away
  std::string user_agent = "galen";
  std::function<bool()> cancelled;  // looked at several times a second
  // Asked of each redirect, with the origin of the request's first URL and that of the next; an
  // error ends the request. Null: anywhere.
  std::function<Result<RedirectTo>(const std::string& first, const std::string& next)> may_redirect;
};

// Keeps connections open between requests. Not thread-safe.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  const HttpOptions& options() const { return options_; }

  // begin: sees the last response's headers before its body; an error ends the request.
  // sink: gets the body of a 2xx answer; an error ends the request and is passed on.
  // Also POST, where the request has a body.
  using OnBegin = std::function<Status(const HttpResponse&)>;
  using Sink = std::function<Status(std::span<const uint8_t>)>;
  HttpResult Get(const HttpGet& request, const OnBegin& begin = {}, const Sink& sink = {});
  // As Get without a sink, but tries again what may go away: cut connections, 429 and 5xx, with
  // growing pauses, or as long as Retry-After says.
  HttpResult GetPatiently(const HttpGet& request);

  // Waits; false: cancelled meanwhile.
  bool Pause(double seconds) const;

 private:
  struct Transfer;
  HttpResult Once(const HttpGet& request, const std::string& url, bool with_token, RedirectTo to,
                  const std::map<std::string, std::string>& first_headers, const OnBegin& begin,
                  const Sink& sink);

  const HttpOptions options_;
  std::unique_ptr<void, void (*)(void*)> curl_;
};

// True of answers that a later try may change: 408, 429, 500, 502, 503, 504.
bool IsTransientCode(int code);
// Seconds until try number `attempt` (from 0): half a second, doubled each time, or Retry-After's
// (a minute at most).
double RetryPause(int attempt, const HttpResponse& response);

// Scheme, host and port, the default port spelled out: "https://huggingface.co:443"; empty: no URL
// of http or https.
std::string OriginOf(const std::string& url);
// Whether a user or a password, if an empty one, stands in a URL as curl reads it.
bool HasCredentials(const std::string& url);
bool IsLoopbackOrigin(const std::string& origin);

}  // namespace galen
