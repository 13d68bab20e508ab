// Requests to one DICOMweb server (PS3.18): its URL, its credentials, its time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "http/http_client.h"

namespace galen::dicomnet {

struct WebOptions {
  std::string root;         // of ParseWebRoot
  std::string name;         // what messages call it; empty: by its origin
  std::string credentials;  // file (credentials.h); empty: as the environment says
  std::string user_agent = "galen";
  double connect_seconds = 20;
  double stall_seconds = 60;    // of less than 1 KiB a second
  double total_seconds = 3600;  // of all requests of this client together
  int retries = 3;
  std::function<bool()> cancelled;  // may be empty
};

// What became of a request; anything but 2xx is an error here.
struct WebResult {
  Status status;
  bool transient = false;  // a later try may do better
  HttpResponse response;
};

// Redirects lead to the same scheme, host and port only: what is asked for names patients. Not
// thread-safe. Messages hold neither the path nor the query of a URL.
class WebClient {
 public:
  // Reads the credentials. InvalidArgument, NotFound.
  static Result<std::unique_ptr<WebClient>> Open(WebOptions options);

  // path: behind the root, "/studies"; query: "a=b&c=d" or "".
  // DataLoss: the answer is no DICOM JSON; NotFound: 404; Unsupported: 406, 415, 501;
  // InvalidArgument: 400, 401, 403 and other 4xx; Io. Tries again what may go away. "": no content.
  Result<std::string> Search(const std::string& path, const std::string& query);

  // The body of `path` in the form `accept`; begin sees the headers. Tried once.
  WebResult Retrieve(const std::string& path, const std::string& accept, int64_t max_bytes,
                     const HttpClient::OnBegin& begin, const HttpClient::Sink& sink);

  // Sends a body. Tried once: a second try could find what the first one stored. The body of an
  // answer, 1 MiB at most, stands in the response, of errors, too.
  WebResult Post(const std::string& path, const std::string& content_type,
                 const std::string& accept, const std::string& body);

  // Waits before a further try; false: the time is over, or it is cancelled.
  bool Pause(int attempt, const WebResult& last) const;
  int retries() const { return options_.retries; }
  // "the DICOMweb server https://pacs:443"
  const std::string& name() const { return options_.name; }

 private:
  explicit WebClient(WebOptions options);
  WebResult Send(const HttpGet& request, const HttpClient::OnBegin& begin,
                 const HttpClient::Sink& sink);
  HttpGet RequestTo(const std::string& path, const std::string& accept) const;
  Status Explain(const HttpResponse& response) const;
  bool Late() const { return std::chrono::steady_clock::now() >= end_; }

  const WebOptions options_;
  const std::chrono::steady_clock::time_point end_;
  std::string authorization_;
  std::unique_ptr<HttpClient> http_;
};

}  // namespace galen::dicomnet
