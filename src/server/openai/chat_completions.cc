// POST /v1/chat/completions.
#include <mutex>

#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/openai/params.h"

namespace galen::server {
namespace {

struct ChatRequest {
  GenerateParams params;
  StreamParams stream;
};

// Whole or streamed: collects the choices of one request and writes them.
class ChatAnswer : public AnswerSink {
 public:
  ChatAnswer(const Services& services, const ModelForRequest& model, const ChatRequest& request,
             int64_t prompt_tokens, std::shared_ptr<Reply> reply)
      : tokenizer_(model.host->files().tokenizer),
        stream_(request.stream),
        logprobs_(request.params.sampling.logprobs >= 0),
        prompt_tokens_(prompt_tokens),
        reply_(std::move(reply)),
        left_(request.params.choices),
        choices_(static_cast<size_t>(request.params.choices)) {
    common_ = {{"id", AnswerId("chatcmpl-")},
               {"object", stream_.stream ? "chat.completion.chunk" : "chat.completion"},
               {"created", UnixNow()},
               {"model", model.info->spec.name},
               {"system_fingerprint", Fingerprint(services)}};
    const std::string text = WriteJson(common_);
    chunk_begin_ = "data: " + text.substr(0, text.size() - 1) + ",\"choices\":[{\"index\":";
  }

  void OnPiece(int64_t choice, AnswerPiece piece) override {
    Choice& c = choices_[static_cast<size_t>(choice)];
    if (!stream_.stream) {
      c.tokens.insert(c.tokens.end(), piece.tokens.begin(), piece.tokens.end());
      c.thinking += piece.thinking;
      return;
    }
    const bool text = piece.thinking.empty();
    WriteChunk(choice,
               (text ? "\"content\":" : "\"reasoning_content\":") +
                   Quoted(text ? piece.text : piece.thinking),
               piece.tokens, nullptr);
  }

  void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) override {
    --left_;
    Choice& c = choices_[static_cast<size_t>(choice)];
    if (!result.ok()) return Fail(ErrorOf(result.status()));
    c.tokens.insert(c.tokens.end(), left.begin(), left.end());
    completion_tokens_ += static_cast<int64_t>(result->tokens.size());
    if (choice == 0) cached_tokens_ = result->cached_tokens;
    c.text = std::move(result->text);
    c.finish = OpenAiFinish(result->finish);
    if (stream_.stream) {
      WriteChunk(choice, "", left, c.finish);
      if (left_ == 0) EndStream();
    } else if (left_ == 0) {
      SendWhole();
    }
  }

 private:
  struct Choice {
    std::string text, thinking;
    std::vector<TokenChoice> tokens;
    const char* finish = nullptr;
    bool began = false;
  };

  void Fail(const ApiError& error) {
    reply_->Send(ErrorResponse(Dialect::kOpenAi, error));  // dropped where the stream has begun
    reply_->Write("data: " + ErrorBody(Dialect::kOpenAi, error) + "\n\n");
    reply_->End();
  }

  // The text is written by hand: this runs for each token, on the thread that computes.
  void WriteChunk(int64_t choice, const std::string& delta, const std::vector<TokenChoice>& tokens,
                  const char* finish) {
    if (!began_) {
      began_ = true;
      HttpResponse head;
      head.content_type = "text/event-stream; charset=utf-8";
      head.headers.emplace_back("X-Accel-Buffering", "no");
      reply_->Begin(std::move(head));
    }
    Choice& c = choices_[static_cast<size_t>(choice)];
    std::string out = chunk_begin_ + std::to_string(choice) + ",\"delta\":{";
    if (!c.began)
      out += delta.empty() ? "\"role\":\"assistant\",\"content\":\"\"" : "\"role\":\"assistant\",";
    c.began = true;
    out += delta + "},\"logprobs\":";
    out += logprobs_ && !tokens.empty() ? WriteJson(ChatLogprobs(*tokenizer_, tokens)) : "null";
    out += ",\"finish_reason\":";
    out += finish == nullptr ? "null" : "\"" + std::string(finish) + "\"";
    out += stream_.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
    reply_->Write(out);
  }

  void EndStream() {
    if (stream_.include_usage) {
      Json last = common_;
      last["choices"] = Json::array();
      last["usage"] = UsageJson(prompt_tokens_, completion_tokens_, cached_tokens_);
      reply_->Write("data: " + WriteJson(last) + "\n\n");
    }
    reply_->Write("data: [DONE]\n\n");
    reply_->End();
  }

  void SendWhole() {
    Json json = common_;
    json["choices"] = Json::array();
    for (size_t i = 0; i < choices_.size(); ++i) {
      Choice& c = choices_[i];
      Json message = {{"role", "assistant"}, {"content", c.text}, {"refusal", nullptr}};
      if (!c.thinking.empty()) message["reasoning_content"] = c.thinking;
      json["choices"].push_back(
          {{"index", i},
           {"message", message},
           {"logprobs", logprobs_ ? ChatLogprobs(*tokenizer_, c.tokens) : Json()},
           {"finish_reason", c.finish}});
    }
    json["usage"] = UsageJson(prompt_tokens_, completion_tokens_, cached_tokens_);
    HttpResponse response;
    response.body = WriteJson(json);
    reply_->Send(std::move(response));
  }

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const StreamParams stream_;
  const bool logprobs_;
  const int64_t prompt_tokens_;
  const std::shared_ptr<Reply> reply_;
  int64_t left_, completion_tokens_ = 0, cached_tokens_ = 0;
  bool began_ = false;
  Json common_;
  std::string chunk_begin_;
  std::vector<Choice> choices_;
};

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

Status ReadChat(const OrderedJson& body, const ServerOptions& options, ChatRequest* request,
                Conversation* conversation, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Check());
  RETURN_IF_ERROR(ReadOpenAiParams(&fields, options, &request->params, &request->stream));
  RETURN_IF_ERROR(ReadLogprobs(&fields, &request->params));
  RETURN_IF_ERROR(ReadEffort(&fields, &request->params));
  int64_t tokens = -1;
  RETURN_IF_ERROR(fields.Int("max_tokens", 1, int64_t{1} << 31, &tokens));
  RETURN_IF_ERROR(fields.Int("max_completion_tokens", 1, int64_t{1} << 31, &tokens));
  request->params.max_tokens = tokens;
  RETURN_IF_ERROR(ReadFormat(&fields, failed, &request->params));
  const OrderedJson none = OrderedJson::array();
  RETURN_IF_ERROR(fields.Refuse("tools", "galen does not call tools yet", {none}));
  RETURN_IF_ERROR(fields.Refuse("tool_choice", "galen does not call tools yet",
                                {OrderedJson("none"), OrderedJson("auto")}));
  RETURN_IF_ERROR(fields.Refuse("functions", "galen does not call tools yet", {none}));
  RETURN_IF_ERROR(fields.Refuse("function_call", "galen does not call tools yet",
                                {OrderedJson("none"), OrderedJson("auto")}));
  RETURN_IF_ERROR(
      fields.Refuse("modalities", "galen answers in text", {OrderedJson::array({"text"})}));
  RETURN_IF_ERROR(fields.Refuse("audio", "galen answers in text"));
  RETURN_IF_ERROR(fields.Refuse("prediction", "galen drafts for itself"));
  RETURN_IF_ERROR(fields.Refuse("web_search_options", "this server reaches nothing outside"));
  fields.Accept({"parallel_tool_calls", "verbosity"});
  const OrderedJson* messages = fields.Any("messages");
  if (messages == nullptr) return fields.Fail("messages", "is missing");
  RETURN_IF_ERROR(fields.Finish());
  ASSIGN_OR_RETURN(*conversation, OpenAiConversation(*messages, options, failed));
  return OkStatus();
}

}  // namespace

void OpenAiChatCompletions(const Services& services, std::shared_ptr<const HttpRequest> request,
                           std::shared_ptr<Reply> reply) {
  const auto fail = [&](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  const Result<OrderedJson> body =
      ParseBody(request->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return fail(ErrorOf(body.status()));
  ApiError error;
  ModelForRequest model;
  if (!FindModel(services, *body, &model.info, &error)) return fail(error);
  ChatRequest chat;
  Conversation conversation;
  std::string failed;
  const Status read = ReadChat(*body, services.options, &chat, &conversation, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  if (!AcquireModel(services, *model.info, &model, &error)) return fail(error);
  Result<PreparedPrompt> prompt =
      PreparePrompt(*model.host, std::move(conversation), model.info->spec.system);
  if (!prompt.ok()) return fail(ErrorOf(prompt.status(), "messages"));
  const auto size = static_cast<int64_t>(prompt->prompt.tokens.size());
  auto sink = std::make_shared<ChatAnswer>(services, model, chat, size, reply);
  if (!StartAnswers(services, model, request->tenant, *std::move(prompt), chat.params, sink, reply,
                    &error))
    fail(error);
}

}  // namespace galen::server
