// POST /pixels: the pictures of files as values, so that a program can set their window itself.
#include "server/documents/pixel_pack.h"
#include "server/documents/run_on_documents.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

constexpr std::array<FormField, 1> kTyped = {{{"from", FormValue::kNumber}}};

Result<std::string> Pixels(const ServerOptions& options, std::vector<extract::NamedBytes> files,
                           int64_t from, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const MediaFolder folder, MediaFolder::Make(std::move(files)));
  return PackPixels(options, folder, from, stop);
}

}  // namespace

void PixelsOfFiles(const Services& services, std::shared_ptr<const HttpRequest> request,
                   std::shared_ptr<Reply> reply) {
  ApiError error;
  const auto upload = std::make_shared<Upload>();
  if (!ReadUpload(services, *request, kTyped, StudyUse::kRefused, upload.get(), &error))
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  int64_t from = 0;
  std::string failed;
  Fields fields(upload->fields, "", &failed);
  const Status read = [&] {
    RETURN_IF_ERROR(fields.Int("from", 0, int64_t{1} << 31, &from));
    return fields.Finish();
  }();
  if (!read.ok()) return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfField(read, failed)));
  const std::stop_source stop;
  RunOnDocuments(services, *request, reply, stop, [&services, upload, from, stop, reply] {
    Result<std::string> pack =
        Pixels(services.options, std::move(upload->files), from, stop.get_token());
    if (!pack.ok())
      return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfMedia(pack.status())));
    HttpResponse response;
    response.content_type = "application/octet-stream";
    response.body = *std::move(pack);
    reply->Send(std::move(response));
  });
}

}  // namespace galen::server
