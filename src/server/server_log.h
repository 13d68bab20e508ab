// One line of JSON for each request and event. What goes in: routes, names from the server's own
// configuration, sizes, times. Text of clients goes in as PatientText only, which prints a digest.
#pragma once

#include <mutex>
#include <ostream>
#include <string_view>

#include "base/json.h"
#include "server/http/http_server.h"

namespace galen::server {

class ServerLog {
 public:
  // Null: nothing is written. The stream must outlive the log.
  explicit ServerLog(std::ostream* out) : out_(out) {}
  // fields: an object; "time" and "event" are added.
  void Event(std::string_view event, Json fields);
  // route: the endpoint's pattern.
  void Request(const Exchange& exchange, std::string_view route);

 private:
  std::mutex mutex_;
  std::ostream* const out_;
};

}  // namespace galen::server
