// HEAD and POST /api/blobs/DIGEST: what models are created from.
#include "base/files.h"
#include "server/api/audit.h"
#include "server/endpoints.h"
#include "server/library/blob_upload.h"
#include "server/library/library.h"
#include "server/ollama/change.h"

namespace galen::server {
namespace {

constexpr char kPath[] = "/api/blobs/*";

}  // namespace

std::shared_ptr<BodySink> OllamaBlobSink(const Services& services, const HttpRequest& request) {
  BlobUpload::Record record;
  record.on_begin = [&services, id = request.id,
                     key = request.tenant.name](const std::string& blob) {
    ApiError error;
    return RecordChange(services, id, key, "blob", blob, "", &error) ? OkStatus()
                                                                     : Cancelled(error.message);
  };
  record.on_end = [audit = services.audit, id = request.id](const std::string& blob, bool done) {
    RecordChanged(audit, id, blob, done);
  };
  return std::make_shared<BlobUpload>(services.library->store(), PathParameter(kPath, request.path),
                                      request.content_length, services.options.max_blob_bytes,
                                      std::move(record));
}

void OllamaPutBlob(const Services&, std::shared_ptr<const HttpRequest> request,
                   std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  const Result<std::string> digest = ParseBlobDigest(PathParameter(kPath, request->path));
  if (!digest.ok()) return fail(ErrorOf(digest.status()));
  const auto upload = std::dynamic_pointer_cast<BlobUpload>(request->sink);
  GALEN_CHECK(upload != nullptr);
  const Status status = upload->Finish();
  if (!status.ok()) return fail(ErrorOfChange(status));
  HttpResponse response;
  response.status = 201;
  response.content_type.clear();
  reply->Send(std::move(response));
}

void OllamaHasBlob(const Services& services, std::shared_ptr<const HttpRequest> request,
                   std::shared_ptr<Reply> reply) {
  const Result<std::string> digest = ParseBlobDigest(PathParameter(kPath, request->path));
  if (!digest.ok()) return reply->Send(ErrorResponse(Dialect::kOllama, ErrorOf(digest.status())));
  if (!FileExists(services.library->store().BlobPath(*digest))) {
    return reply->Send(ErrorResponse(Dialect::kOllama, ErrorOf(NotFound("there is no such blob"))));
  }
  HttpResponse response;
  response.content_type.clear();
  reply->Send(std::move(response));
}

}  // namespace galen::server
