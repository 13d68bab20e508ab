// Answers of /api/chat and /api/generate: NDJSON, or one object.
#pragma once

#include <chrono>

#include "server/api/generate.h"
#include "server/ollama/params.h"

namespace galen::server {

class OllamaAnswer : public AnswerSink {
 public:
  // chat: pieces lie in "message", else in "response".
  OllamaAnswer(const ModelForRequest& model, const OllamaParams& params, bool chat,
               int64_t prompt_tokens, std::chrono::steady_clock::time_point begin,
               std::shared_ptr<Reply> reply);
  void OnPiece(int64_t choice, AnswerPiece piece) override;
  void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) override;

 private:
  Json Piece(std::string_view text, std::string_view thinking,
             const std::vector<TokenChoice>& tokens) const;
  // The line of a piece that is text alone, as WriteJson(Piece(...)) has it. Written by hand: this
  // runs for each token, on the thread that computes.
  std::string TextLine(std::string_view text) const;
  // The call that is complete with this piece, as "tool_calls" has it; null otherwise.
  Json TakeCall(const ToolCallPiece& piece);
  void Write(const std::string& line, bool last);

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const std::string model_, quoted_model_;
  const bool chat_, stream_, logprobs_;
  const int64_t prompt_tokens_;
  const double load_seconds_;
  const std::chrono::steady_clock::time_point begin_;
  const std::shared_ptr<Reply> reply_;
  std::string thinking_;
  std::string call_name_, call_arguments_;  // of the call that is being made
  Json calls_ = Json::array();              // not told yet
  std::vector<TokenChoice> tokens_;
  bool began_ = false;
};

// The model, loaded and kept as the request says. Where the request has no prompt (`empty`), it is
// answered here, "load" or "unload". False with an error.
bool AcquireForOllama(const Services& services, const OllamaParams& params, bool chat, bool empty,
                      ModelForRequest* model, Reply* reply, ApiError* error);

}  // namespace galen::server
