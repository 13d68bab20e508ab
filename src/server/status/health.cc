// GET /health, /health/live, /health/ready, /metrics.
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/status/metrics.h"

namespace galen::server {

void HealthLive(const Services&, std::shared_ptr<const HttpRequest>, std::shared_ptr<Reply> reply) {
  HttpResponse response;
  response.body = R"({"status":"ok"})";
  reply->Send(std::move(response));
}

// 503 while the server drains or a model that should be loaded is not: a balancer sends nothing
// then.
void HealthReady(const Services& services, std::shared_ptr<const HttpRequest>,
                 std::shared_ptr<Reply> reply) {
  Json models = Json::object();
  for (const ModelRef& info : services.models.models()) models[info->spec.name] = "idle";
  bool ready = !services.draining();
  for (const ModelRegistry::Loaded& loaded : services.models.loaded()) {
    const bool failed = loaded.host->failed();
    models[loaded.info->spec.name] = failed ? "failed" : "loaded";
    ready = ready && !failed;
  }
  HttpResponse response;
  response.status = ready ? 200 : 503;
  response.body = WriteJson(Json{{"status", services.draining() ? "draining"
                                            : ready             ? "ok"
                                                                : "failed"},
                                 {"models", models}});
  reply->Send(std::move(response));
}

void MetricsText(const Services& services, std::shared_ptr<const HttpRequest>,
                 std::shared_ptr<Reply> reply) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = services.metrics.Text(services);
  reply->Send(std::move(response));
}

}  // namespace galen::server
