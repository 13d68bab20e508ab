#include "server/openai/chat_answer.h"

#include "server/api/write_json.h"

namespace galen::server {

ChatAnswer::ChatAnswer(const Services& services, const ModelForRequest& model,
                       const GenerateParams& params, const StreamParams& stream,
                       int64_t prompt_tokens, std::shared_ptr<Reply> reply)
    : tokenizer_(model.host->files().tokenizer),
      stream_(stream),
      logprobs_(params.sampling.logprobs >= 0),
      prompt_tokens_(prompt_tokens),
      reply_(std::move(reply)),
      left_(params.choices),
      choices_(static_cast<size_t>(params.choices)) {
  common_ = {{"id", AnswerId("chatcmpl-")},
             {"object", stream_.stream ? "chat.completion.chunk" : "chat.completion"},
             {"created", UnixNow()},
             {"model", model.info->spec.name},
             {"system_fingerprint", Fingerprint(services)}};
  const std::string text = WriteJson(common_);
  chunk_begin_ = "data: " + text.substr(0, text.size() - 1) + ",\"choices\":[{\"index\":";
}

std::string ChatAnswer::TakeCall(Choice* choice, const ToolCallPiece& piece) {
  const std::string begin = "\"tool_calls\":[{\"index\":" + std::to_string(piece.index) + ",";
  switch (piece.kind) {
    case ToolCallPiece::Kind::kName: {
      choice->calls.push_back({AnswerId("call_"), std::string(piece.text), ""});
      const Call& call = choice->calls.back();
      return begin + "\"id\":\"" + call.id +
             "\",\"type\":\"function\",\"function\":{\"name\":" + Quoted(call.name) +
             ",\"arguments\":\"\"}}]";
    }
    case ToolCallPiece::Kind::kArguments:
      choice->calls.back().arguments += piece.text;
      return begin + "\"function\":{\"arguments\":" + Quoted(piece.text) + "}}]";
    case ToolCallPiece::Kind::kEnd:
      break;
  }
  return "";
}

void ChatAnswer::OnPiece(int64_t choice, AnswerPiece piece) {
  Choice& c = choices_[static_cast<size_t>(choice)];
  std::string delta;
  if (piece.call != nullptr) {
    delta = TakeCall(&c, *piece.call);
  } else if (stream_.stream) {
    delta = piece.thinking.empty() ? "\"content\":" : "\"reasoning_content\":";
    AppendQuoted(piece.thinking.empty() ? piece.text : piece.thinking, &delta);
  }
  if (stream_.stream) {
    if (!delta.empty() || !piece.tokens.empty()) WriteChunk(choice, delta, piece.tokens, nullptr);
    return;
  }
  c.tokens.insert(c.tokens.end(), piece.tokens.begin(), piece.tokens.end());
  c.thinking += piece.thinking;
}

void ChatAnswer::OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) {
  --left_;
  Choice& c = choices_[static_cast<size_t>(choice)];
  if (!result.ok()) return Fail(ErrorOf(result.status()));
  c.tokens.insert(c.tokens.end(), left.begin(), left.end());
  completion_tokens_ += static_cast<int64_t>(result->tokens.size());
  if (choice == 0) cached_tokens_ = result->cached_tokens;
  c.text = std::move(result->text);
  c.finish = result->finish == FinishReason::kStop && !c.calls.empty()
                 ? "tool_calls"
                 : OpenAiFinish(result->finish);
  if (stream_.stream) {
    WriteChunk(choice, "", left, c.finish);
    if (left_ == 0) EndStream();
  } else if (left_ == 0) {
    SendWhole();
  }
}

void ChatAnswer::Fail(const ApiError& error) {
  reply_->Send(ErrorResponse(Dialect::kOpenAi, error));  // dropped where the stream has begun
  reply_->End("data: " + ErrorBody(Dialect::kOpenAi, error) + "\n\n");
}

// The text is written by hand: this runs for each token, on the thread that computes.
void ChatAnswer::WriteChunk(int64_t choice, const std::string& delta,
                            const std::vector<TokenChoice>& tokens, const char* finish) {
  if (!began_) {
    began_ = true;
    HttpResponse head;
    head.content_type = "text/event-stream; charset=utf-8";
    head.headers.emplace_back("X-Accel-Buffering", "no");
    reply_->Begin(std::move(head));
  }
  Choice& c = choices_[static_cast<size_t>(choice)];
  std::string& out = chunk_;
  out = chunk_begin_;
  out += std::to_string(choice);
  out += ",\"delta\":{";
  if (!c.began)
    out += delta.empty() ? "\"role\":\"assistant\",\"content\":\"\"" : "\"role\":\"assistant\",";
  c.began = true;
  out += delta;
  out += "},\"logprobs\":";
  out += logprobs_ && !tokens.empty() ? WriteJson(ChatLogprobs(*tokenizer_, tokens)) : "null";
  out += ",\"finish_reason\":";
  out += finish == nullptr ? "null" : "\"" + std::string(finish) + "\"";
  out += stream_.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
  reply_->Gather(out);
}

void ChatAnswer::EndStream() {
  if (stream_.include_usage) {
    Json last = common_;
    last["choices"] = Json::array();
    last["usage"] = UsageJson(prompt_tokens_, completion_tokens_, cached_tokens_);
    reply_->Gather("data: " + WriteJson(last) + "\n\n");
  }
  reply_->End("data: [DONE]\n\n");
}

Json ChatAnswer::MessageOf(const Choice& choice) const {
  Json message = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
  if (!choice.thinking.empty()) message["reasoning_content"] = choice.thinking;
  if (choice.calls.empty()) return message;
  if (choice.text.empty()) message["content"] = nullptr;
  message["tool_calls"] = Json::array();
  for (const Call& call : choice.calls) {
    message["tool_calls"].push_back(
        {{"id", call.id},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return message;
}

void ChatAnswer::SendWhole() {
  Json json = common_;
  json["choices"] = Json::array();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const Choice& c = choices_[i];
    json["choices"].push_back(
        {{"index", i},
         {"message", MessageOf(c)},
         {"logprobs", logprobs_ ? ChatLogprobs(*tokenizer_, c.tokens) : Json()},
         {"finish_reason", c.finish}});
  }
  json["usage"] = UsageJson(prompt_tokens_, completion_tokens_, cached_tokens_);
  HttpResponse response;
  response.body = WriteJson(json);
  reply_->Send(std::move(response));
}

}  // namespace galen::server
