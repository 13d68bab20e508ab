// POST /api/generate.
#include "server/endpoints.h"
#include "server/ollama/answer.h"

namespace galen::server {
namespace {

struct GenerateRequest {
  OllamaParams params;
  std::string prompt, system;
  std::vector<Image> images;
  bool raw = false;
};

Status ReadGenerate(const OrderedJson& body, const ServerOptions& options, GenerateRequest* request,
                    std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(ReadOllamaParams(&fields, failed, &request->params));
  RETURN_IF_ERROR(fields.String("prompt", &request->prompt));
  RETURN_IF_ERROR(fields.String("system", &request->system));
  RETURN_IF_ERROR(fields.Bool("raw", &request->raw));
  if (request->raw && !request->system.empty())
    return fields.Fail("system", "does not go with 'raw'");
  RETURN_IF_ERROR(
      fields.Refuse("suffix", "galen writes on, it does not fill in", {OrderedJson("")}));
  RETURN_IF_ERROR(fields.Refuse("template", "the model's own template is used; 'raw' leaves it out",
                                {OrderedJson("")}));
  RETURN_IF_ERROR(fields.Refuse("context",
                                "send the conversation to /api/chat; its beginning is "
                                "computed once",
                                {OrderedJson::array()}));
  Status status;
  const OrderedJson* images = fields.Array("images", &status);
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(fields.Finish());
  return AddImages(images, "images", options, &request->images, failed);
}

Result<PreparedPrompt> Prepare(const ModelForRequest& model, const GenerateRequest& request) {
  if (request.raw) return PrepareRaw(*model.host, request.prompt, request.images);
  Conversation conversation;
  conversation.images = request.images;
  if (!request.system.empty())
    conversation.messages.push_back({{"role", "system"}, {"content", request.system}});
  OrderedJson content = request.prompt;
  if (!request.images.empty()) {
    content = OrderedJson::array();
    for (size_t i = 0; i < request.images.size(); ++i) content.push_back({{"type", "image"}});
    content.push_back({{"type", "text"}, {"text", request.prompt}});
  }
  conversation.messages.push_back({{"role", "user"}, {"content", content}});
  return PreparePrompt(*model.host, std::move(conversation), model.info->spec.system);
}

}  // namespace

void OllamaGenerate(const Services& services, std::shared_ptr<const HttpRequest> http,
                    std::shared_ptr<Reply> reply) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  const Result<OrderedJson> body = ParseBody(http->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return fail(ErrorOf(body.status()));
  ApiError error;
  ModelForRequest model;
  if (!FindModel(services, *body, &model.info, &error)) return fail(error);
  GenerateRequest request;
  std::string failed;
  const Status read = ReadGenerate(*body, services.options, &request, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  const bool empty = request.prompt.empty() && request.images.empty();
  if (empty && request.params.keep_alive == std::chrono::seconds(0)) {
    services.models.Unload(*model.info);
    return AnswerLoad(*model.info, false, true, 0, reply.get());
  }
  if (!AcquireModel(services, *model.info, &model, &error)) return fail(error);
  services.models.KeepAlive(
      *model.info, request.params.keep_alive.value_or(services.models.default_keep_alive()));
  if (empty) return AnswerLoad(*model.info, false, false, model.load_seconds, reply.get());
  Result<PreparedPrompt> prompt = Prepare(model, request);
  if (!prompt.ok()) return fail(ErrorOf(prompt.status()));
  const auto size = static_cast<int64_t>(prompt->prompt.tokens.size());
  auto sink = std::make_shared<OllamaAnswer>(model, request.params, false, size, begin, reply);
  if (!StartAnswers(services, model, http->tenant, *std::move(prompt), request.params.generate,
                    sink, reply, &error)) {
    fail(error);
  }
}

}  // namespace galen::server
