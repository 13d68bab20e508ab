// POST /api/chat.
#include "server/endpoints.h"
#include "server/ollama/answer.h"

namespace galen::server {
namespace {

Status ReadChat(const OrderedJson& body, const ServerOptions& options, OllamaParams* params,
                Conversation* conversation, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(ReadOllamaParams(&fields, failed, params));
  RETURN_IF_ERROR(fields.Refuse("tools", "galen does not call tools yet", {OrderedJson::array()}));
  const OrderedJson* messages = fields.Any("messages");
  RETURN_IF_ERROR(fields.Finish());
  if (messages == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(*conversation, OllamaConversation(*messages, options, failed));
  return OkStatus();
}

}  // namespace

void OllamaChat(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  const Result<OrderedJson> body =
      ParseBody(request->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return fail(ErrorOf(body.status()));
  ApiError error;
  ModelForRequest model;
  if (!FindModel(services, *body, &model.info, &error)) return fail(error);
  OllamaParams params;
  Conversation conversation;
  std::string failed;
  const Status read = ReadChat(*body, services.options, &params, &conversation, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  const bool empty = conversation.messages.empty();
  if (empty && params.keep_alive == std::chrono::seconds(0)) {
    services.models.Unload(*model.info);
    return AnswerLoad(*model.info, true, true, 0, reply.get());
  }
  if (!AcquireModel(services, *model.info, &model, &error)) return fail(error);
  services.models.KeepAlive(*model.info,
                            params.keep_alive.value_or(services.models.default_keep_alive()));
  if (empty) return AnswerLoad(*model.info, true, false, model.load_seconds, reply.get());
  Result<PreparedPrompt> prompt =
      PreparePrompt(*model.host, std::move(conversation), model.info->spec.system);
  if (!prompt.ok()) return fail(ErrorOf(prompt.status()));
  const auto size = static_cast<int64_t>(prompt->prompt.tokens.size());
  auto sink = std::make_shared<OllamaAnswer>(model, params, true, size, begin, reply);
  if (!StartAnswers(services, model, request->tenant, *std::move(prompt), params.generate, sink,
                    reply, &error)) {
    fail(error);
  }
}

}  // namespace galen::server
