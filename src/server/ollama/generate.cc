// POST /api/generate.
#include "server/api/audit.h"
#include "server/api/chat.h"
#include "server/endpoints.h"
#include "server/ollama/answer.h"

namespace galen::server {
namespace {

struct GenerateRequest {
  OllamaParams params;
  std::string prompt, system;
  std::vector<RequestImage> images;
  bool raw = false;
};

Status ReadGenerate(const OrderedJson& body, const ServerOptions& options,
                    const std::string& defaults, GenerateRequest* request, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(ReadOllamaParams(&fields, defaults, failed, &request->params));
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

Conversation ConversationOf(const GenerateRequest& request) {
  Conversation conversation;
  if (!request.system.empty())
    conversation.messages.push_back({{"role", "system"}, {"content", request.system}});
  OrderedJson content = request.prompt;
  if (!request.images.empty()) {
    content = OrderedJson::array();
    for (size_t i = 0; i < request.images.size(); ++i) content.push_back({{"type", "image"}});
    content.push_back({{"type", "text"}, {"text", request.prompt}});
  }
  conversation.messages.push_back({{"role", "user"}, {"content", content}});
  conversation.images = request.images;
  return conversation;
}

}  // namespace

void OllamaGenerate(const Services& services, std::shared_ptr<const HttpRequest> http,
                    std::shared_ptr<Reply> reply) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *http, &body, &model.info, &error)) return fail(error);
  GenerateRequest request;
  std::string failed;
  const Status read =
      ReadGenerate(body, services.options, model.info->spec.parameters, &request, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  const bool empty = request.prompt.empty() && request.images.empty();
  if (!AcquireForOllama(services, request.params, false, empty, &model, reply.get(), &error))
    return fail(error);
  if (empty) return;
  const auto make_sink = [&](int64_t prompt_tokens) {
    return std::make_shared<OllamaAnswer>(model, request.params, false, prompt_tokens, begin,
                                          reply);
  };
  if (!request.raw) {
    ChatCall call;
    call.params = request.params.generate;
    call.conversation = ConversationOf(request);
    if (!StartChat(services, *http, model, std::move(call), make_sink, reply, &error)) fail(error);
    return;
  }
  Result<PreparedPrompt> prompt = PrepareRaw(*model.host, request.prompt, request.images);
  if (!prompt.ok()) return fail(ErrorOf(prompt.status()));
  if (!RecordStart(services, *http, model, {&*prompt, 1}, &error)) return fail(error);
  const auto size = static_cast<int64_t>(prompt->prompt.tokens.size());
  if (!StartAnswers(services, model, http->tenant, *std::move(prompt), request.params.generate,
                    make_sink(size), reply, &error)) {
    fail(error);
  }
}

}  // namespace galen::server
