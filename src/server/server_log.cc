#include "server/server_log.h"

#include <cmath>

#include "base/rfc3339.h"
#include "server/api/write_json.h"

namespace galen::server {

void ServerLog::Event(std::string_view event, Json fields) {
  if (out_ == nullptr) return;
  fields["time"] = Rfc3339Now();
  fields["event"] = event;
  const std::string line = WriteJson(fields) + "\n";
  const std::lock_guard lock(mutex_);
  *out_ << line << std::flush;
}

void ServerLog::Request(const Exchange& exchange, std::string_view route) {
  if (out_ == nullptr) return;
  Json fields = {{"route", route},
                 {"status", exchange.status},
                 {"sent", exchange.sent_bytes},
                 {"ms", std::round(exchange.seconds * 1e5) / 100}};
  if (exchange.client_left) fields["client_left"] = true;
  if (exchange.request != nullptr) {
    fields["id"] = exchange.request->id;
    fields["tenant"] = exchange.request->tenant.name;
    if (exchange.request->body.size() > 0) fields["body"] = exchange.request->body.Digest();
  }
  Event("request", std::move(fields));
}

}  // namespace galen::server
