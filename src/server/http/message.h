// HTTP messages as endpoints see them: nothing of sockets or parsers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/security/key_limits.h"
#include "server/security/patient_text.h"

namespace galen::server {

// On whose behalf a request runs. Without API keys all clients are one tenant.
struct Tenant {
  std::string name = "local";
  // Of the prefix cache: tenants share no computed prompts.
  uint64_t cache_salt = 0;
  bool admin = false;  // its key says so
  bool dicom = true;   // may send studies and ask about them; of keys: theirs says so
  KeyLimits limits;
};

// What is known before the body is read.
struct RequestHead {
  std::string method;
  std::string path;   // without the query; as sent, percent escapes included
  std::string query;  // without '?'
  std::string host;
  std::string origin;
  std::string authorization;
  std::string content_type;
  std::string accept;
  std::string accept_encoding;
  std::string if_none_match;
  int64_t content_length = -1;  // -1: not said
};

// Where a body goes that is too large for memory.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual int64_t max_bytes() const = 0;
  // The next piece; called on a thread of its own, which may wait for a disk. After an error the
  // request is refused: 400 (InvalidArgument), 507 (ResourceExhausted), 503 (Cancelled), else 500.
  virtual Status Write(std::string_view bytes) = 0;
};

struct HttpRequest : RequestHead {
  PatientText body;
  std::shared_ptr<BodySink> sink;  // took the body instead, if there is one
  std::string id;                  // of this request, in logs and X-Request-Id
  Tenant tenant;
};

// The value of NAME=VALUE in a query, as sent; empty if it is not there.
std::string QueryValue(std::string_view query, std::string_view name);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;
  // Answers are about patients and for programs: nothing may keep or frame or run them.
  std::string cache_control = "no-store";
  std::string content_policy = "default-src 'none'; frame-ancestors 'none'";
};

}  // namespace galen::server
