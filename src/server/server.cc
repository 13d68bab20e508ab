#include "server/server.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <new>
#include <optional>

#include "audit/audit_log.h"
#include "engine/memory_plan.h"
#include "server/api/audit.h"
#include "server/api/errors.h"
#include "server/dicom/study_room.h"
#include "server/documents/document_pool.h"
#include "server/endpoints.h"
#include "server/jobs/job_board.h"
#include "server/library/library.h"
#include "server/security/api_keys.h"
#include "server/security/browser_guard.h"
#include "server/security/usage.h"
#include "server/server_log.h"
#include "server/services.h"
#include "server/slides/slide_room.h"
#include "server/status/metrics.h"

namespace galen::server {
namespace {

Status CheckExposure(const ServerOptions& options) {
  const HttpOptions& http = options.http;
  if (http.tls_certificate.empty() != http.tls_key.empty())
    return InvalidArgument("a certificate and its key go together (--tls-cert, --tls-key)");
  if (options.manage_models && options.api_keys.empty() && !IsLoopback(http.host)) {
    return InvalidArgument("others can reach " + http.host +
                           ", and --manage-models lets them change its models: give --api-keys "
                           "FILE, with keys that have the right 'admin'");
  }
  const StudyOptions& studies = options.studies;
  if (studies.port >= 0 && !IsLoopback(studies.host) && !options.allow_insecure) {
    return InvalidArgument("others can reach " + studies.host +
                           " for DICOM, which is not encrypted, and whose titles are no "
                           "passwords: say --allow-insecure if the network takes care of both");
  }
  if (IsLoopback(http.host) || options.allow_insecure) return OkStatus();
  if (!options.api_keys.empty() && !http.tls_certificate.empty()) return OkStatus();
  return InvalidArgument("others can reach " + http.host +
                         ": give --api-keys FILE, --tls-cert and --tls-key, or say "
                         "--allow-insecure if something in front of the server takes care of both");
}

double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Room for the largest that a request may bring, of several clients.
SlideLimits SlideLimitsOf(const ServerOptions& options) {
  SlideLimits limits;
  limits.bytes = std::max(limits.bytes, 4 * options.http.max_body_bytes);
  return limits;
}

}  // namespace

void TakeChanges(const ServerOptions& from, ServerOptions* options) {
  options->max_tokens = from.max_tokens;
  options->max_images = from.max_images;
  options->max_image_pixels = from.max_image_pixels;
  options->max_files = from.max_files;
  options->max_pages = from.max_pages;
  options->max_blob_bytes = from.max_blob_bytes;
}

class Server::Impl : public HttpHandler {
 public:
  Impl(const ServerOptions& options, std::ostream* log)
      : options_(options),
        log_(log),
        router_(AllEndpoints()),
        slides_(SlideLimitsOf(options)),
        workers_(static_cast<size_t>(options.workers)),
        documents_(std::in_place, options.document_workers, options.registry.host.max_queue,
                   options.http.max_body_total) {}
  ~Impl() override {
    http_ = nullptr;  // no requests come any more, and those that run are cancelled
    if (studies_) studies_->StopReceiving();
    workers_.join();
    documents_.reset();
    library_.reset();
    models_ = nullptr;
  }

  Status Open(const std::vector<ModelSpec>& models) {
    RETURN_IF_ERROR(CheckExposure(options_));
    if (!options_.api_keys.empty()) {
      ASSIGN_OR_RETURN(keys_, ReadKeys());
      ASSIGN_OR_RETURN(usage_, Usage::Open(options_.usage, SecondsNow));
    }
    if (!options_.audit.empty()) {
      ASSIGN_OR_RETURN(audit_, AuditLog::Open(options_.audit));
    }
    if (!options_.jobs.empty()) {
      ASSIGN_OR_RETURN(jobs_, JobBoard::Open(options_.jobs, options_.keep_jobs, options_.jobs_key));
    } else if (!options_.jobs_key.empty()) {
      return InvalidArgument("a key for answers of jobs wants a database of jobs: --jobs FILE");
    }
    if (!options_.studies.inbox.folder.empty()) {
      ASSIGN_OR_RETURN(studies_, StudyRoom::Open(options_.studies, &log_, audit_.get()));
    } else if (options_.studies.port >= 0) {
      return InvalidArgument("a DICOM port wants a folder for what comes: --dicom-inbox DIR");
    } else if (!options_.studies.web.empty()) {
      return InvalidArgument("--dicomweb wants a folder for what comes: --dicom-inbox DIR");
    }
    ASSIGN_OR_RETURN(models_, ModelRegistry::Create(options_.registry, models));
    if (options_.manage_models) {
      library_.emplace(options_, models_.get(), &log_, models);
      library_->ServeStore();
    }
    ASSIGN_OR_RETURN(http_, HttpServer::Create(options_.http, this));
    UseOptions(options_);
    if (!options_.load_on_demand) RETURN_IF_ERROR(LoadAll(models));
    // Last: what is received is asked about.
    return studies_ != nullptr ? studies_->Receive() : OkStatus();
  }

  Status LoadAll(const std::vector<ModelSpec>& models) {
    for (const ModelSpec& spec : models) {  // those of the store are loaded when they are asked for
      if (spec.on_demand) continue;
      const ModelRef info = models_->Find(spec.name);
      double seconds = 0;
      const Result<std::shared_ptr<ModelHost>> host = models_->Acquire(*info, &seconds);
      if (!host.ok()) return host.status();
      log_.Event("loaded", {{"model", info->spec.name},
                            {"seconds", seconds},
                            {"bytes", (*host)->reserved_bytes()},
                            {"context", (*host)->context()},
                            {"images", info->sees()}});
    }
    return OkStatus();
  }

  HttpServer& http() { return *http_; }
  int dicom_port() const { return studies_ != nullptr ? studies_->port() : 0; }

  // What cannot be read again stays as it was.
  void Reload() override {
    const Status certificate = http_->ReloadCertificate();
    boost::asio::post(workers_, [this, certificate] {
      const std::lock_guard one_at_a_time(reload_mutex_);
      Json event = Json::object();
      if (options_.reread) ReloadOptions(&event);
      const Status keys = ReloadKeys();
      if (library_) library_->ServeStore();
      event.update({{"keys", keys.ok() ? "ok" : keys.message()},
                    {"certificate", certificate.ok() ? "ok" : certificate.message()},
                    {"models", models_->models().size()}});
      log_.Event("reloaded", event);
    });
  }

  std::optional<HttpResponse> Admit(const RequestHead& head, Tenant* tenant) override {
    const std::shared_ptr<const ApiKeys> keys = Keys();
    const bool local = IsLoopback(options_.http.host) && keys == nullptr;
    if (const std::string fault = BrowserFault(head, local); !fault.empty())
      return Error(head.path, 403, fault);
    const Match match = router_.Find(head.method, head.path);
    if (keys != nullptr && !(match.endpoint != nullptr && match.endpoint->open)) {
      const std::optional<Tenant> found = keys->Find(head.authorization);
      if (!found)
        return Error(head.path, 401, "a valid API key is needed: Authorization: Bearer KEY");
      *tenant = *found;
    }
    if (match.endpoint == nullptr) {
      if (match.allowed.empty()) return Error(head.path, 404, "there is no such endpoint");
      std::string allowed;
      for (const std::string& method : match.allowed)
        allowed += (allowed.empty() ? "" : ", ") + method;
      HttpResponse response = Error(head.path, 405, "this endpoint takes " + allowed);
      response.headers.emplace_back("Allow", allowed);
      return response;
    }
    if (match.endpoint->changes && !options_.manage_models) {
      return Error(head.path, 403,
                   "clients cannot change the models of this server; its operator allows it with "
                   "--manage-models");
    }
    if (match.endpoint->changes && keys != nullptr && !tenant->admin)
      return Error(head.path, 403, "models are changed by keys with the right 'admin' alone");
    if (draining_ && !match.endpoint->quick) {
      HttpResponse response = Error(head.path, 503, "this server is being stopped");
      response.headers.emplace_back("Retry-After", "10");
      return response;
    }
    // Lists and health cost nothing.
    if (keys != nullptr && !match.endpoint->quick) {
      const auto refusal = usage_->Admit(tenant->name, tenant->limits);
      if (refusal) {
        HttpResponse response = Error(head.path, 429, refusal->message);
        response.headers.emplace_back("Retry-After", std::to_string(refusal->retry_after));
        return response;
      }
    }
    return std::nullopt;
  }

  std::shared_ptr<BodySink> SinkOf(const HttpRequest& request) override {
    const Endpoint* endpoint = router_.Find(request.method, request.path).endpoint;
    return endpoint->sink ? endpoint->sink(Current(), request) : nullptr;
  }

  void Handle(std::shared_ptr<const HttpRequest> request, std::shared_ptr<Reply> reply) override {
    const Endpoint* endpoint = router_.Find(request->method, request->path).endpoint;
    if (endpoint->quick) return Call(*endpoint, request, reply);
    boost::asio::post(workers_,
                      [this, endpoint, request = std::move(request), reply = std::move(reply)] {
                        if (!reply->gone()) Call(*endpoint, request, reply);
                      });
  }

  HttpResponse Error(const std::string& path, int status, const std::string& message) override {
    ApiError error;
    error.status = status;
    error.message = message;
    return ErrorResponse(DialectOf(path), error);
  }

  void Done(const Exchange& exchange) override {
    const Endpoint* endpoint = nullptr;
    if (exchange.request != nullptr)
      endpoint = router_.Find(exchange.request->method, exchange.request->path).endpoint;
    const char* route = endpoint != nullptr ? endpoint->path : "none";
    // Lists and health are no acts; who was turned away is worth knowing anywhere.
    const bool act = endpoint != nullptr && !endpoint->quick;
    if (act || exchange.status == 401 || exchange.status == 403)
      RecordEnd(audit_.get(), exchange, route);
    metrics_.Count(route, exchange.status, exchange.seconds, exchange.sent_bytes);
    log_.Request(exchange, route);
  }

  void Draining() override {
    draining_ = true;
    log_.Event("draining", Json::object());
  }

 private:
  // What requests see, from one reload to the next. Those that are at work keep theirs.
  struct Version {
    ServerOptions options;
    std::optional<Services> services;
  };

  void UseOptions(const ServerOptions& options) {
    const std::lock_guard lock(versions_mutex_);
    Version& version = versions_.emplace_back(Version{options, std::nullopt});
    version.services.emplace(Services{
        version.options, *models_, metrics_, audit_.get(), usage_.get(), router_.endpoints(),
        [this] { return draining_.load(); }, [this] { return http_->connections(); }, *documents_,
        jobs_.get(), studies_.get(), slides_, library_ ? &*library_ : nullptr});
  }

  const Services& Current() const {
    const std::lock_guard lock(versions_mutex_);
    return *versions_.back().services;
  }

  void ReloadOptions(Json* event) {
    const Result<RereadOptions> reread = options_.reread();
    (*event)["config"] = reread.ok() ? "ok" : reread.status().message();
    if (!reread.ok()) return;
    if (!reread->changed.empty()) {
      ServerOptions options = options_;
      TakeChanges(reread->options, &options);
      UseOptions(options);
    }
    (*event)["changed"] = reread->changed;
    (*event)["needs_restart"] = reread->needs_restart;
  }

  Result<std::shared_ptr<const ApiKeys>> ReadKeys() const {
    ASSIGN_OR_RETURN(ApiKeys keys, ApiKeys::Read(options_.api_keys));
    if (keys.has_quotas() && options_.usage.empty()) {
      return InvalidArgument(options_.api_keys +
                             ": a key has tokens a day (tpd=N): say with --usage FILE where it "
                             "is kept how many it has used");
    }
    if (const auto before = Keys()) keys.KeepSaltOf(*before);
    return std::make_shared<const ApiKeys>(std::move(keys));
  }

  Status ReloadKeys() {
    if (options_.api_keys.empty()) return OkStatus();
    ASSIGN_OR_RETURN(const std::shared_ptr<const ApiKeys> keys, ReadKeys());
    const std::lock_guard lock(keys_mutex_);
    keys_ = keys;
    return OkStatus();
  }

  std::shared_ptr<const ApiKeys> Keys() const {
    const std::lock_guard lock(keys_mutex_);
    return keys_;
  }

  // A bug of ours fails the request, not the process.
  void Call(const Endpoint& endpoint, const std::shared_ptr<const HttpRequest>& request,
            const std::shared_ptr<Reply>& reply) {
    int status = 500;
    try {
      endpoint.fn(Current(), request, reply);
      return;
    } catch (const std::bad_alloc&) {
      status = 503;
    } catch (const std::exception&) {
      // The text of an exception may quote the request.
    }
    log_.Event("internal_error", {{"route", endpoint.path}, {"id", request->id}});
    reply->Send(
        Error(request->path, status,
              status == 503 ? "out of memory" : "an internal error; the log has the request's id"));
    reply->End();
  }

  const ServerOptions options_;
  ServerLog log_;
  Metrics metrics_;
  const Router router_;
  mutable std::mutex keys_mutex_;
  std::shared_ptr<const ApiKeys> keys_;  // null: none are used
  std::unique_ptr<Usage> usage_;         // outlives what holds tokens of it
  std::unique_ptr<AuditLog> audit_;      // outlives what writes it
  std::unique_ptr<JobBoard> jobs_;       // outlives the work on documents
  std::unique_ptr<StudyRoom> studies_;   // and this, too
  SlideRoom slides_;
  std::unique_ptr<ModelRegistry> models_;
  std::optional<Library> library_;
  mutable std::mutex versions_mutex_;
  std::list<Version> versions_;  // the last one is that of new requests
  std::mutex reload_mutex_;
  std::atomic<bool> draining_{false};
  boost::asio::thread_pool workers_;
  std::optional<DocumentPool> documents_;
  std::unique_ptr<HttpServer> http_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Create(const ServerOptions& options,
                                               const std::vector<ModelSpec>& models,
                                               std::ostream* log) {
  auto impl = std::make_unique<Impl>(options, log);
  RETURN_IF_ERROR(impl->Open(models));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->http().port(); }
int Server::dicom_port() const { return impl_->dicom_port(); }
void Server::Run() { impl_->http().Run(); }
void Server::Stop() { impl_->http().Stop(); }

}  // namespace galen::server
