#include "server/api/chat.h"

#include "server/api/audit.h"

namespace galen::server {

bool ReadRequest(const Services& services, const HttpRequest& request, OrderedJson* body,
                 ModelRef* info, ApiError* error) {
  Result<OrderedJson> parsed = ParseBody(request.body.Reveal(), services.options.max_json_depth);
  if (!parsed.ok()) {
    *error = ErrorOf(parsed.status());
    return false;
  }
  *body = *std::move(parsed);
  return FindModel(services, *body, info, error);
}

bool StartChat(const Services& services, const HttpRequest& request, const ModelForRequest& model,
               ChatCall call, const SinkMaker& make_sink, const std::shared_ptr<Reply>& reply,
               ApiError* error) {
  if (call.tools.active()) {
    if (!call.params.schema.empty()) {
      *error = ErrorOf(InvalidArgument("'" + call.params.schema_field +
                                       "' does not go with functions that may be called"),
                       call.params.schema_field);
      return false;
    }
    Result<std::shared_ptr<const ToolPlan>> plan = PlanTools(*model.host, call.tools);
    if (!plan.ok()) {
      *error = ErrorOf(plan.status(), "tools");
      return false;
    }
    call.params.tools = *std::move(plan);
    call.conversation.tools = std::move(call.tools.tools);
  }
  Result<PreparedPrompt> prompt =
      PreparePrompt(*model.host, std::move(call.conversation), model.info->spec.system);
  if (!prompt.ok()) {
    *error = ErrorOf(prompt.status(), "messages");
    return false;
  }
  if (!RecordStart(services, request, model, {&*prompt, 1}, error)) return false;
  const auto size = static_cast<int64_t>(prompt->prompt.tokens.size());
  return StartAnswers(services, model, request.tenant, *std::move(prompt), call.params,
                      make_sink(size), reply, error);
}

}  // namespace galen::server
