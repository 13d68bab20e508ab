// Answers of /v1/chat/completions: whole, or as server-sent events.
#pragma once

#include "server/openai/params.h"

namespace galen::server {

// Collects the choices of one request and writes them.
class ChatAnswer : public AnswerSink {
 public:
  ChatAnswer(const Services& services, const ModelForRequest& model, const GenerateParams& params,
             const StreamParams& stream, int64_t prompt_tokens, std::shared_ptr<Reply> reply);
  void OnPiece(int64_t choice, AnswerPiece piece) override;
  void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) override;

 private:
  struct Call {
    std::string id, name, arguments;
  };
  struct Choice {
    std::string text, thinking;
    std::vector<Call> calls;
    std::vector<TokenChoice> tokens;
    const char* finish = nullptr;
    bool began = false;
  };

  void Fail(const ApiError& error);
  // Adds to the call; returns the delta of a stream, empty where there is nothing to say.
  std::string TakeCall(Choice* choice, const ToolCallPiece& piece);
  // Gathers a chunk of the stream.
  void WriteChunk(int64_t choice, const std::string& delta, const std::vector<TokenChoice>& tokens,
                  const char* finish);
  void EndStream();
  void SendWhole();
  Json MessageOf(const Choice& choice) const;

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const StreamParams stream_;
  const bool logprobs_;
  const int64_t prompt_tokens_;
  const std::shared_ptr<Reply> reply_;
  int64_t left_, completion_tokens_ = 0, cached_tokens_ = 0;
  bool began_ = false;
  Json common_;
  std::string chunk_begin_, chunk_;
  std::vector<Choice> choices_;
};

}  // namespace galen::server
