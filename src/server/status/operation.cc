// GET /audit, GET /benchmark.
#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>

#include "audit/verify.h"
#include "base/threads.h"
#include "kernels/machine_limits.h"
#include "server/api/errors.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/services.h"

namespace galen::server {
namespace {

constexpr int64_t kMostRecords = 1000;

void FailStatus(int status, const std::string& message, const std::string& param, Reply* reply) {
  ApiError error;
  error.status = status;
  error.message = message;
  error.param = param;
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));
}

// Measured once, when somebody asks: it takes a second or two of all processors.
const Json& Machine() {
  static std::mutex mutex;
  static std::optional<Json> machine;
  const std::lock_guard lock(mutex);
  if (machine) return *machine;
  ThreadPool pool(AvailableProcessors());
  std::string pattern;
  Json json = {{"processors", pool.size()},
               {"read_gb_per_s", MeasureReadBandwidth(pool, &pattern)},
               {"isas", Json::object()}};
  for (const RateLimits& rates : MeasureRates(pool)) {
    json["isas"][std::string(IsaName(rates.isa))] = {{"fp32_gflops", rates.fp32_gflops},
                                                     {"bf16_gflops", rates.bf16_gflops},
                                                     {"int8_gops", rates.int8_gops}};
  }
  machine = std::move(json);
  return *machine;
}

}  // namespace

void AuditTail(const Services& services, std::shared_ptr<const HttpRequest> request,
               std::shared_ptr<Reply> reply) {
  if (!services.options.api_keys.empty() && !request->tenant.admin)
    return FailStatus(403, "this key is not one of an administrator", "", reply.get());
  if (services.audit == nullptr)
    return FailStatus(404, "this server keeps no audit log (--audit FILE)", "", reply.get());
  int64_t count = 10;
  if (const std::string text = QueryValue(request->query, "n"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size() || count < 1 ||
        count > kMostRecords) {
      return FailStatus(422, "'n' must be from 1 to " + std::to_string(kMostRecords), "n",
                        reply.get());
    }
  }
  const auto lines = TailAuditLog(services.options.audit, count);
  if (!lines.ok()) return FailStatus(500, "the audit log cannot be read", "", reply.get());
  HttpResponse response;
  response.body = "{\"records\":[";
  for (size_t i = 0; i < lines->size(); ++i) response.body += (i > 0 ? "," : "") + (*lines)[i];
  response.body += "]}";
  reply->Send(std::move(response));
}

void Benchmark(const Services& services, std::shared_ptr<const HttpRequest>,
               std::shared_ptr<Reply> reply) {
  Json models = Json::array();
  for (const ModelRegistry::Loaded& loaded : services.models.loaded()) {
    const HostCounters& counters = loaded.host->counters();
    const double seconds = static_cast<double>(counters.step_nanoseconds.load()) / 1e9;
    const int64_t prompt = counters.prompt_tokens, answer = counters.answer_tokens;
    Json model = {{"model", loaded.info->spec.name}, {"bytes", loaded.host->reserved_bytes()},
                  {"prompt_tokens", prompt},         {"answer_tokens", answer},
                  {"busy_seconds", seconds},         {"tokens_per_busy_second", nullptr}};
    if (seconds > 0)
      model["tokens_per_busy_second"] = static_cast<double>(prompt + answer) / seconds;
    models.push_back(std::move(model));
  }
  HttpResponse response;
  response.body = WriteJson(Json{{"machine", Machine()}, {"models", models}});
  reply->Send(std::move(response));
}

}  // namespace galen::server
