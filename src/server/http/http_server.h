// HTTP/1.1 over TCP or TLS: one thread accepts, reads, writes and times out; what answers runs
// elsewhere and hands its bytes over by a Reply. Limits hold from the first byte on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "server/http/message.h"
#include "server/http/reply.h"

namespace galen::server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                       // 0: any free one
  std::string tls_certificate, tls_key;  // PEM files; both or none
  int64_t max_connections = 4096;
  int64_t max_header_bytes = 16 << 10;
  int64_t max_body_bytes = int64_t{64} << 20;
  int64_t max_body_total = int64_t{512} << 20;       // of all requests being read or answered
  std::chrono::milliseconds header_timeout{10'000};  // from the first byte awaited to the last
  std::chrono::milliseconds body_timeout{60'000};    // of the whole body; of a sink's, each MiB
  std::chrono::milliseconds idle_timeout{75'000};    // between requests of a connection
  std::chrono::milliseconds write_timeout{30'000};   // of what is ready to be written
  std::chrono::milliseconds drain_timeout{30'000};
  std::chrono::milliseconds gone_check{100};  // how often it is looked whether a client has left
  // SIGTERM and SIGINT drain, a second one ends at once; SIGHUP is told to the handler.
  bool handle_signals = false;
};

// What the server above tells of each request when it is over.
struct Exchange {
  const HttpRequest* request = nullptr;  // null: no request could be read
  int status = 0;
  int64_t sent_bytes = 0;
  double seconds = 0;
  bool client_left = false;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // All are called on the server's thread and must not wait. Admit sees a head before its body is
  // read, and may set the tenant; an answer refuses the request.
  virtual std::optional<HttpResponse> Admit(const RequestHead& head, Tenant* tenant) = 0;
  // Of a request that was admitted: what takes its body, piece by piece; null: memory.
  virtual std::shared_ptr<BodySink> SinkOf(const HttpRequest&) { return nullptr; }
  virtual void Handle(std::shared_ptr<const HttpRequest> request, std::shared_ptr<Reply> reply) = 0;
  // An error that the server itself answers, in the form that the path's clients expect.
  virtual HttpResponse Error(const std::string& path, int status, const std::string& message) = 0;
  virtual void Done(const Exchange& exchange) = 0;
  virtual void Draining() = 0;
  // SIGHUP: what lies in files may be read again.
  virtual void Reload() {}
};

class HttpServer {
 public:
  // Binds and listens. handler must outlive the server. Errors name the address and say who may
  // have it.
  static Result<std::unique_ptr<HttpServer>> Create(const HttpOptions& options,
                                                    HttpHandler* handler);
  ~HttpServer();
  int port() const;
  // Serves until Stop (or a signal) and the end of what runs then, drain_timeout at most.
  void Run();
  // From any thread.
  void Stop();
  int64_t connections() const;  // open now; from any thread
  // Reads certificate and key again, for connections that come from now on. From any thread.
  // Errors: as of Create; those that are in use stay.
  Status ReloadCertificate();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace galen::server
