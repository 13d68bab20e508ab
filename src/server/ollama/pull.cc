// POST /api/pull.
#include "server/api/audit.h"
#include "server/endpoints.h"
#include "server/library/library.h"
#include "server/ollama/change.h"

namespace galen::server {
namespace {

// "pulling 8daa9615cce3" of a digest, as Ollama says it; of a small file of the hub its name.
std::string PullingText(const PullEvent& event) {
  constexpr std::string_view kSha256 = "sha256:";
  constexpr size_t kDigits = 12;
  return "pulling " + (event.digest.starts_with(kSha256)
                           ? event.digest.substr(kSha256.size(), kDigits)
                           : event.text);
}

void SayEvent(const PullEvent& event, ChangeAnswer* answer) {
  switch (event.kind) {
    case PullEvent::Kind::kManifest:
      return answer->Say({{"status", "pulling manifest"}});
    case PullEvent::Kind::kFile:
    case PullEvent::Kind::kProgress: {
      Json line = {
          {"status", PullingText(event)}, {"digest", event.digest}, {"total", event.file_total}};
      if (event.file_done > 0) line["completed"] = event.file_done;
      return answer->Say(line);
    }
    case PullEvent::Kind::kLicense:
      return answer->Say({{"status", "licence: " + event.text}});
    case PullEvent::Kind::kNote:
      return answer->Say({{"status", event.text}});
    case PullEvent::Kind::kVerify:
      return answer->Say({{"status", "verifying sha256 digest"}});
    case PullEvent::Kind::kWrite:
      return answer->Say({{"status", "writing manifest"}});
    case PullEvent::Kind::kDone:
      return;
  }
}

Status ReadPull(const OrderedJson& body, bool* stream, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Bool("stream", stream));
  RETURN_IF_ERROR(
      fields.Refuse("insecure", "certificates are always checked", {OrderedJson(false)}));
  RETURN_IF_ERROR(fields.Refuse("username", "registries that want a login are not supported",
                                {OrderedJson("")}));
  RETURN_IF_ERROR(fields.Refuse("password", "registries that want a login are not supported",
                                {OrderedJson("")}));
  fields.Accept({"model", "name"});
  return fields.Finish();
}

}  // namespace

void OllamaPull(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  ApiError error;
  OrderedJson body;
  std::string model, failed;
  if (!ReadChange(services, *request, &body, &model, &error)) return fail(error);
  bool stream = true;
  const Status read = ReadPull(body, &stream, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  Library& library = *services.library;
  const Result<std::string> name = library.MayPull(model);
  if (!name.ok()) return fail(ErrorOf(name.status(), "model"));
  if (!RecordChange(services, *request, "pull", *name, &error)) return fail(error);
  const auto answer = std::make_shared<ChangeAnswer>(stream, reply);
  PullListener listener;
  listener.on_event = [answer](const PullEvent& event) { SayEvent(event, answer.get()); };
  listener.on_done = [answer, audit = services.audit, id = request->id,
                      name = *name](const Status& status) {
    RecordChanged(audit, id, name, status.ok());
    answer->End(status);
  };
  const Result<int64_t> id = library.pulls().Join(*name, std::move(listener));
  if (!id.ok()) {
    error = ErrorOf(id.status());
    error.status = 429;
    error.retry_after = 30;
    return fail(error);
  }
  reply->OnGone([&library, id = *id] { library.pulls().Leave(id); });
}

}  // namespace galen::server
