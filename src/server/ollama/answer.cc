#include "server/ollama/answer.h"

#include <utility>

#include "base/rfc3339.h"
#include "server/api/write_json.h"
#include "server/openai/params.h"

namespace galen::server {
namespace {

int64_t Nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace

OllamaAnswer::OllamaAnswer(const ModelForRequest& model, const OllamaParams& params, bool chat,
                           int64_t prompt_tokens, std::chrono::steady_clock::time_point begin,
                           std::shared_ptr<Reply> reply)
    : tokenizer_(model.host->files().tokenizer),
      model_(model.info->spec.name),
      quoted_model_(Quoted(model_)),
      chat_(chat),
      stream_(params.stream),
      logprobs_(params.generate.sampling.logprobs >= 0),
      prompt_tokens_(prompt_tokens),
      load_seconds_(model.load_seconds),
      begin_(begin),
      reply_(std::move(reply)) {}

Json OllamaAnswer::Piece(std::string_view text, std::string_view thinking,
                         const std::vector<TokenChoice>& tokens) const {
  Json json = {{"model", model_}, {"created_at", Rfc3339Now()}, {"done", false}};
  if (chat_) {
    json["message"] = {{"role", "assistant"}, {"content", text}};
    if (!thinking.empty()) json["message"]["thinking"] = thinking;
  } else {
    json["response"] = text;
    if (!thinking.empty()) json["thinking"] = thinking;
  }
  if (logprobs_ && !tokens.empty()) json["logprobs"] = ChatLogprobs(*tokenizer_, tokens)["content"];
  return json;
}

std::string OllamaAnswer::TextLine(std::string_view text) const {
  std::string line = "{\"created_at\":\"" + Rfc3339Now() + "\",\"done\":false,";
  if (chat_) {
    line += "\"message\":{\"content\":";
    AppendQuoted(text, &line);
    line += ",\"role\":\"assistant\"},\"model\":" + quoted_model_ + "}\n";
  } else {
    line += "\"model\":" + quoted_model_ + ",\"response\":";
    AppendQuoted(text, &line);
    line += "}\n";
  }
  return line;
}

Json OllamaAnswer::TakeCall(const ToolCallPiece& piece) {
  if (piece.kind == ToolCallPiece::Kind::kName) {
    call_name_ = piece.text;
    call_arguments_.clear();
  } else if (piece.kind == ToolCallPiece::Kind::kArguments) {
    call_arguments_ += piece.text;
  } else {
    // They satisfy a schema, so they are JSON.
    const Json arguments = Json::parse(call_arguments_, nullptr, false);
    return {{"id", AnswerId("call_")},
            {"function", {{"index", piece.index}, {"name", call_name_}, {"arguments", arguments}}}};
  }
  return {};
}

void OllamaAnswer::Write(const std::string& line, bool last) {
  if (!began_) {
    began_ = true;
    HttpResponse head;
    head.content_type = "application/x-ndjson";
    reply_->Begin(std::move(head));
  }
  if (last) return reply_->End(line);
  reply_->Gather(line);
}

void OllamaAnswer::OnPiece(int64_t, AnswerPiece piece) {
  tokens_.insert(tokens_.end(), piece.tokens.begin(), piece.tokens.end());
  if (piece.call != nullptr) {
    Json call = TakeCall(*piece.call);
    if (call.is_null()) return;
    calls_.push_back(std::move(call));
  }
  if (!stream_) {
    thinking_ += piece.thinking;
    return;
  }
  if (piece.thinking.empty() && tokens_.empty() && calls_.empty())
    return Write(TextLine(piece.text), false);
  Json json = Piece(piece.text, piece.thinking, std::exchange(tokens_, {}));
  if (!calls_.empty()) json["message"]["tool_calls"] = std::exchange(calls_, Json::array());
  Write(WriteJson(json) + "\n", false);
}

void OllamaAnswer::OnDone(int64_t, Result<TextResult> result, std::vector<TokenChoice> left) {
  if (!result.ok()) {
    const ApiError error = ErrorOf(result.status());
    reply_->Send(ErrorResponse(Dialect::kOllama, error));
    return reply_->End(ErrorBody(Dialect::kOllama, error) + "\n");
  }
  tokens_.insert(tokens_.end(), left.begin(), left.end());
  const std::string text = stream_ ? "" : result->text;
  Json json = Piece(text, thinking_, tokens_);
  if (!calls_.empty()) json["message"]["tool_calls"] = std::move(calls_);
  json["done"] = true;
  json["done_reason"] = OpenAiFinish(result->finish);
  const double total =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  json["total_duration"] = Nanoseconds(total);
  json["load_duration"] = Nanoseconds(load_seconds_);
  json["prompt_eval_count"] = prompt_tokens_;
  json["prompt_eval_duration"] = Nanoseconds(result->prefill_seconds);
  json["eval_count"] = result->tokens.size();
  json["eval_duration"] = Nanoseconds(result->decode_seconds);
  if (stream_) return Write(WriteJson(json) + "\n", true);
  HttpResponse response;
  response.body = WriteJson(json);
  reply_->Send(std::move(response));
}

bool AcquireForOllama(const Services& services, const OllamaParams& params, bool chat, bool empty,
                      ModelForRequest* model, Reply* reply, ApiError* error) {
  const ModelRef info = model->info;
  const bool unload = empty && params.keep_alive == std::chrono::seconds(0);
  if (unload) {
    services.models.Unload(*info);
  } else {
    if (!AcquireModel(services, info, model, error)) return false;
    services.models.KeepAlive(*info,
                              params.keep_alive.value_or(services.models.default_keep_alive()));
  }
  if (!empty) return true;
  Json json = {{"model", info->spec.name},
               {"created_at", Rfc3339Now()},
               {"done", true},
               {"done_reason", unload ? "unload" : "load"}};
  if (chat) {
    json["message"] = {{"role", "assistant"}, {"content", ""}};
  } else {
    json["response"] = "";
  }
  if (!unload) json["load_duration"] = Nanoseconds(model->load_seconds);
  HttpResponse response;
  response.body = WriteJson(json);
  reply->Send(std::move(response));
  return true;
}

}  // namespace galen::server
