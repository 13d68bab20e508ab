// POST /v1/chat/completions.
#include "server/api/chat.h"
#include "server/endpoints.h"
#include "server/openai/chat_answer.h"

namespace galen::server {
namespace {

Status ReadLogprobs(Fields* fields, GenerateParams* params) {
  bool logprobs = false;
  int64_t top = 0;
  RETURN_IF_ERROR(fields->Bool("logprobs", &logprobs));
  RETURN_IF_ERROR(fields->Int("top_logprobs", 0, 20, &top));
  if (top > 0 && !logprobs) return fields->Fail("top_logprobs", "needs 'logprobs': true");
  if (logprobs) params->sampling.logprobs = static_cast<int32_t>(top);
  return OkStatus();
}

Status ReadEffort(Fields* fields, GenerateParams* params) {
  std::string effort;
  RETURN_IF_ERROR(fields->String("reasoning_effort", &effort));
  if (effort == "none" || effort == "minimal") {
    params->think = Think::kOff;
  } else if (!effort.empty() && effort != "low" && effort != "medium" && effort != "high" &&
             effort != "xhigh") {
    return fields->Fail("reasoning_effort", "must be none, minimal, low, medium, high or xhigh");
  }
  return OkStatus();
}

Status ReadFormat(Fields* fields, std::string* failed, GenerateParams* params) {
  Status status;
  const OrderedJson* format = fields->Object("response_format", &status);
  RETURN_IF_ERROR(status);
  if (format == nullptr) return OkStatus();
  Fields inner(*format, "response_format", failed);
  std::string type;
  RETURN_IF_ERROR(inner.String("type", &type));
  params->schema_field = "response_format";
  if (type == "json_object") {
    params->schema = kAnyJsonObject;
  } else if (type == "json_schema") {
    const OrderedJson* named = inner.Object("json_schema", &status);
    RETURN_IF_ERROR(status);
    if (named == nullptr) return inner.Fail("json_schema", "is missing");
    Fields schema(*named, "response_format.json_schema", failed);
    const OrderedJson* text = schema.Object("schema", &status);
    RETURN_IF_ERROR(status);
    if (text == nullptr) return schema.Fail("schema", "is missing");
    params->schema = text->dump();
    params->schema_field = "response_format.json_schema.schema";
    schema.Accept({"name", "description", "strict"});  // every schema is enforced strictly
    RETURN_IF_ERROR(schema.Finish());
  } else if (type != "text") {
    return inner.Fail("type", "must be text, json_object or json_schema");
  }
  return inner.Finish();
}

Status ReadChat(const OrderedJson& body, const ServerOptions& options, ChatCall* call,
                StreamParams* stream, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Check());
  RETURN_IF_ERROR(ReadOpenAiParams(&fields, options, &call->params, stream));
  RETURN_IF_ERROR(ReadLogprobs(&fields, &call->params));
  RETURN_IF_ERROR(ReadEffort(&fields, &call->params));
  int64_t tokens = -1;
  RETURN_IF_ERROR(fields.Int("max_tokens", 1, int64_t{1} << 31, &tokens));
  RETURN_IF_ERROR(fields.Int("max_completion_tokens", 1, int64_t{1} << 31, &tokens));
  call->params.max_tokens = tokens;
  RETURN_IF_ERROR(ReadFormat(&fields, failed, &call->params));
  RETURN_IF_ERROR(ReadTools(&fields, &call->tools));
  RETURN_IF_ERROR(ReadToolChoice(&fields, &call->tools));
  RETURN_IF_ERROR(fields.Refuse("functions", "it has become 'tools'", {OrderedJson::array()}));
  RETURN_IF_ERROR(fields.Refuse("function_call", "it has become 'tool_choice'",
                                {OrderedJson("none"), OrderedJson("auto")}));
  RETURN_IF_ERROR(
      fields.Refuse("modalities", "galen answers in text", {OrderedJson::array({"text"})}));
  RETURN_IF_ERROR(fields.Refuse("audio", "galen answers in text"));
  RETURN_IF_ERROR(fields.Refuse("prediction", "galen drafts for itself"));
  RETURN_IF_ERROR(fields.Refuse("web_search_options", "this server reaches nothing outside"));
  fields.Accept({"verbosity"});
  const OrderedJson* messages = fields.Any("messages");
  if (messages == nullptr) return fields.Fail("messages", "is missing");
  RETURN_IF_ERROR(fields.Finish());
  ASSIGN_OR_RETURN(call->conversation, OpenAiConversation(*messages, options, failed));
  return OkStatus();
}

}  // namespace

void OpenAiChatCompletions(const Services& services, std::shared_ptr<const HttpRequest> request,
                           std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *request, &body, &model.info, &error)) return fail(error);
  ChatCall call;
  StreamParams stream;
  std::string failed;
  const Status read = ReadChat(body, services.options, &call, &stream, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  if (!AcquireModel(services, model.info, &model, &error)) return fail(error);
  const auto make_sink = [&, params = call.params](int64_t prompt_tokens) {
    return std::make_shared<ChatAnswer>(services, model, params, stream, prompt_tokens, reply);
  };
  if (!StartChat(services, *request, model, std::move(call), make_sink, reply, &error)) fail(error);
}

}  // namespace galen::server
