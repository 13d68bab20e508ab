// POST /look: what a model would see of files, as `galen look --json` gives it, with the pictures.
#include "base/base64.h"
#include "media/image/png_writer.h"
#include "recipes/report.h"
#include "server/api/write_json.h"
#include "server/documents/media_folder.h"
#include "server/documents/run_on_documents.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

Result<std::string> PngUrl(const Image& image) {
  ASSIGN_OR_RETURN(const std::vector<uint8_t> png, EncodePng(image));
  return "data:image/png;base64," + EncodeBase64(png);
}

Result<Json> LookReport(const MediaInput& input, const std::stop_token& stop) {
  Json report = MediaReport(input);
  for (size_t i = 0; i < input.images.size(); ++i) {
    if (stop.stop_requested()) return Cancelled("the request was cancelled");
    ASSIGN_OR_RETURN(report["images"][i]["png"], PngUrl(input.images[i].image));
  }
  report["overviews"] = Json::array();
  for (const SeenImage& seen : input.overviews) {
    ASSIGN_OR_RETURN(const std::string url, PngUrl(seen.image));
    report["overviews"].push_back({{"source", seen.source},
                                   {"width", seen.image.width},
                                   {"height", seen.image.height},
                                   {"png", url}});
  }
  report["system"] = input.system;
  report["prompt"] = PromptForPeople(input);
  return report;
}

Result<Json> Look(const ServerOptions& options, Upload* upload, const MediaCall& call,
                  const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const MediaFolder folder, MediaFolder::Of(upload));
  ASSIGN_OR_RETURN(MediaInput input, BuildUploaded(options, folder, call));
  input.warnings.insert(input.warnings.end(), upload->warnings.begin(), upload->warnings.end());
  return LookReport(input, stop);
}

}  // namespace

void LookAtFiles(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  ApiError error;
  const auto upload = std::make_shared<Upload>();
  if (!ReadUpload(services, *request, MediaFormFields(), StudyUse::kTaken, upload.get(), &error))
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  MediaCall call;
  std::string failed;
  Fields fields(upload->fields, "", &failed);
  const Status read = [&] {
    RETURN_IF_ERROR(ReadMediaFields(services.options, &fields, &call));
    return fields.Finish();
  }();
  if (!read.ok()) return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfField(read, failed)));
  const std::stop_source stop;
  RunOnDocuments(services, *request, reply, stop, [&services, upload, call, stop, reply] {
    const Result<Json> report = Look(services.options, upload.get(), call, stop.get_token());
    if (!report.ok())
      return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfMedia(report.status())));
    HttpResponse response;
    response.body = WriteJson(*report);
    reply->Send(std::move(response));
  });
}

// GET /recipes: the names that "recipe" takes.
void ListRecipes(const Services&, std::shared_ptr<const HttpRequest>,
                 std::shared_ptr<Reply> reply) {
  HttpResponse response;
  response.body = WriteJson(Json{{"recipes", RecipeList()}});
  reply->Send(std::move(response));
}

}  // namespace galen::server
