#include "server/api/audit.h"

#include <cmath>

#include "audit/audit_log.h"
#include "server/http/http_server.h"
#include "server/openai/params.h"

namespace galen::server {
namespace {

std::span<const uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Json StartOf(const Services& services, const HttpRequest& request, const ModelForRequest& model) {
  const ModelInfo& info = *model.info;
  Json record = {{"event", "start"},
                 {"id", request.id},
                 {"route", request.path},  // an endpoint's own, without parameters
                 {"key", request.tenant.name},
                 {"model", info.spec.name},
                 {"weights", info.content},
                 {"arithmetic", Fingerprint(services)},
                 {"request", services.audit->Digest(BytesOf(request.body.Reveal()))}};
  if (!info.adapter_digest.empty()) record["adapter"] = info.adapter_digest;
  return record;
}

bool Write(AuditLog* log, Json record, ApiError* error) {
  const Status status = log->Append(std::move(record));
  if (status.ok()) return true;
  *error = {};
  error->status = 503;
  error->message = "the audit record cannot be written; nothing is computed without one";
  error->retry_after = 10;
  return false;
}

}  // namespace

bool RecordStart(const Services& services, const HttpRequest& request, const ModelForRequest& model,
                 std::span<const PreparedPrompt> prompts, ApiError* error) {
  AuditLog* log = services.audit;
  if (log == nullptr) return true;
  Json record = StartOf(services, request, model);
  Json digests = Json::array(), media = Json::array();
  int64_t tokens = 0;
  for (const PreparedPrompt& prompt : prompts) {
    const std::vector<int32_t>& ids = prompt.prompt.tokens;
    digests.push_back(
        log->Digest({reinterpret_cast<const uint8_t*>(ids.data()), ids.size() * sizeof(int32_t)}));
    tokens += static_cast<int64_t>(ids.size());
    for (const std::string& digest : prompt.image_digests) media.push_back(log->Digest(digest));
  }
  record["prompts"] = std::move(digests);
  record["prompt_tokens"] = tokens;
  if (!media.empty()) record["media"] = std::move(media);
  return Write(log, std::move(record), error);
}

bool RecordDocuments(const Services& services, const HttpRequest& request,
                     const ModelForRequest& model, const ModelInfo* second,
                     const std::vector<std::string>& digests, ApiError* error) {
  AuditLog* log = services.audit;
  if (log == nullptr) return true;
  Json record = StartOf(services, request, model);
  if (second != nullptr) {
    record["second_model"] = second->spec.name;
    record["second_weights"] = second->content;
    if (!second->adapter_digest.empty()) record["second_adapter"] = second->adapter_digest;
  }
  record["media"] = Json::array();
  for (const std::string& digest : digests) record["media"].push_back(log->Digest(digest));
  return Write(log, std::move(record), error);
}

bool RecordStudies(const Services& services, const HttpRequest& request, const char* action,
                   ApiError* error) {
  AuditLog* log = services.audit;
  if (log == nullptr) return true;
  return Write(log,
               {{"event", "dicom"},
                {"id", request.id},
                {"action", action},
                {"key", request.tenant.name},
                {"request", log->Digest(BytesOf(request.body.Reveal()))}},
               error);
}

bool RecordChange(const Services& services, const HttpRequest& request, const char* action,
                  const std::string& model, ApiError* error) {
  return RecordChange(services, request.id, request.tenant.name, action, model,
                      request.body.Reveal(), error);
}

bool RecordChange(const Services& services, const std::string& id, const std::string& key,
                  const char* action, const std::string& model, const std::string& body,
                  ApiError* error) {
  AuditLog* log = services.audit;
  if (log == nullptr) return true;
  return Write(log,
               {{"event", "change"},
                {"id", id},
                {"action", action},
                {"key", key},
                {"model", model},
                {"request", log->Digest(BytesOf(body))}},
               error);
}

void RecordChanged(AuditLog* log, const std::string& id, const std::string& model, bool done) {
  if (log != nullptr)
    log->AppendLater({{"event", "changed"}, {"id", id}, {"model", model}, {"done", done}});
}

void RecordEnd(AuditLog* log, const Exchange& exchange, const char* route) {
  if (log == nullptr) return;
  Json record = {{"event", "end"},
                 {"route", route},
                 {"status", exchange.status},
                 {"outcome", exchange.client_left                               ? "client_left"
                             : exchange.status >= 200 && exchange.status < 300  ? "answered"
                             : exchange.status == 401 || exchange.status == 403 ? "denied"
                                                                                : "refused"},
                 {"seconds", std::round(exchange.seconds * 1e6) / 1e6}};
  if (exchange.request != nullptr) {
    record["id"] = exchange.request->id;
    if (exchange.status != 401) record["key"] = exchange.request->tenant.name;  // else unknown
  }
  log->AppendLater(std::move(record));
}

}  // namespace galen::server
