// GET /v1/models, GET /v1/models/NAME.
#include "server/api/errors.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/services.h"

namespace galen::server {
namespace {

Json ModelJson(const Services& services, const ModelInfo& info) {
  return {{"id", info.spec.name},
          {"object", "model"},
          {"created", info.modified},
          {"owned_by", "galen"},
          {"context_length", services.models.ContextOf(info)},
          {"capabilities", info.capabilities()}};
}

}  // namespace

void OpenAiModels(const Services& services, std::shared_ptr<const HttpRequest>,
                  std::shared_ptr<Reply> reply) {
  Json list = Json::array();
  for (const ModelRef& info : services.models.models()) list.push_back(ModelJson(services, *info));
  HttpResponse response;
  response.body = WriteJson(Json{{"object", "list"}, {"data", list}});
  reply->Send(std::move(response));
}

void OpenAiModel(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  const std::string name = PathParameter("/v1/models/*", request->path);
  const ModelRef info = services.models.Find(name);
  if (info == nullptr) {
    return reply->Send(
        ErrorResponse(Dialect::kOpenAi, ErrorOf(NotFound(services.models.Unknown(name)), "model")));
  }
  HttpResponse response;
  response.body = WriteJson(ModelJson(services, *info));
  reply->Send(std::move(response));
}

}  // namespace galen::server
