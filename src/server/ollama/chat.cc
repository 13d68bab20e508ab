// POST /api/chat.
#include "server/api/chat.h"

#include "server/endpoints.h"
#include "server/ollama/answer.h"

namespace galen::server {
namespace {

Status ReadChat(const OrderedJson& body, const ServerOptions& options, const std::string& defaults,
                OllamaParams* params, ChatCall* call, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(ReadOllamaParams(&fields, defaults, failed, params));
  RETURN_IF_ERROR(ReadTools(&fields, &call->tools));
  const OrderedJson* messages = fields.Any("messages");
  RETURN_IF_ERROR(fields.Finish());
  if (messages == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(call->conversation, OllamaConversation(*messages, options, failed));
  return OkStatus();
}

}  // namespace

void OllamaChat(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const auto begin = std::chrono::steady_clock::now();
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *request, &body, &model.info, &error)) return fail(error);
  OllamaParams params;
  ChatCall call;
  std::string failed;
  const Status read =
      ReadChat(body, services.options, model.info->spec.parameters, &params, &call, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  const bool empty = call.conversation.messages.empty();
  if (!AcquireForOllama(services, params, true, empty, &model, reply.get(), &error))
    return fail(error);
  if (empty) return;
  call.params = params.generate;
  const auto make_sink = [&](int64_t prompt_tokens) {
    return std::make_shared<OllamaAnswer>(model, params, true, prompt_tokens, begin, reply);
  };
  if (!StartChat(services, *request, model, std::move(call), make_sink, reply, &error)) fail(error);
}

}  // namespace galen::server
