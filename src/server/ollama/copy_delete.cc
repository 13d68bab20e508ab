// POST /api/copy, DELETE /api/delete.
#include "server/api/audit.h"
#include "server/endpoints.h"
#include "server/library/library.h"
#include "server/ollama/change.h"

namespace galen::server {
namespace {

void Fail(const ApiError& error, Reply* reply) {
  reply->Send(ErrorResponse(Dialect::kOllama, error));
}

void SendEmpty(Reply* reply) {
  HttpResponse response;
  response.content_type.clear();
  reply->Send(std::move(response));
}

Status ReadCopy(const OrderedJson& body, std::string* source, std::string* destination,
                std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Check());
  RETURN_IF_ERROR(fields.String("source", source));
  RETURN_IF_ERROR(fields.String("destination", destination));
  RETURN_IF_ERROR(fields.Finish());
  if (source->empty()) return fields.Fail("source", "is missing");
  return destination->empty() ? fields.Fail("destination", "is missing") : OkStatus();
}

}  // namespace

void OllamaCopy(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const Result<OrderedJson> body =
      ParseBody(request->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return Fail(ErrorOf(body.status()), reply.get());
  std::string source, destination, failed;
  Status status = ReadCopy(*body, &source, &destination, &failed);
  if (!status.ok()) return Fail(ErrorOf(status, failed), reply.get());
  const ModelRef from = services.models.Find(source);
  if (from == nullptr)
    return Fail(ErrorOf(NotFound(services.models.Unknown(source)), "source"), reply.get());
  Library& library = *services.library;
  const Result<OllamaName> name = library.MayName(destination);
  if (!name.ok()) return Fail(ErrorOf(name.status(), "destination"), reply.get());
  RunSlowly(services, reply, [&services, request, reply, from, destination, name = *name] {
    ApiError error;
    if (!RecordChange(services, *request, "copy", name.text(), &error))
      return Fail(error, reply.get());
    ComposeOptions options;
    options.cancelled = EndsWith(services, reply);
    const Status done = services.library->Copy(*from, destination, options);
    RecordChanged(services.audit, request->id, name.text(), done.ok());
    if (!done.ok()) return Fail(ErrorOfChange(done), reply.get());
    SendEmpty(reply.get());
  });
}

void OllamaDelete(const Services& services, std::shared_ptr<const HttpRequest> request,
                  std::shared_ptr<Reply> reply) {
  ApiError error;
  OrderedJson body;
  std::string model, failed;
  if (!ReadChange(services, *request, &body, &model, &error)) return Fail(error, reply.get());
  Fields fields(body, "", &failed);
  fields.Accept({"model", "name"});
  Status status = fields.Finish();
  if (!status.ok()) return Fail(ErrorOf(status, failed), reply.get());
  const ModelRef info = services.models.Find(model);
  if (info == nullptr)
    return Fail(ErrorOf(NotFound(services.models.Unknown(model)), "model"), reply.get());
  if (!RecordChange(services, *request, "delete", info->spec.name, &error))
    return Fail(error, reply.get());
  status = services.library->Remove(*info);
  RecordChanged(services.audit, request->id, info->spec.name, status.ok());
  if (!status.ok()) return Fail(ErrorOfChange(status), reply.get());
  SendEmpty(reply.get());
}

}  // namespace galen::server
