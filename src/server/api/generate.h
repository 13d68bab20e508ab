// One request, one or several answers: hands the prompt to a model and its pieces to whoever writes
// them in the format of an API.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api/conversation.h"
#include "server/api/tools.h"

namespace galen::server {

// The schema of `json_object` and of Ollama's "json".
inline constexpr char kAnyJsonObject[] = R"({"type":"object"})";

struct GenerateParams {
  SamplingParams sampling;
  bool seeded = false;      // else a seed is drawn
  int64_t max_tokens = -1;  // negative: what the context has room for
  std::vector<std::string> stop;
  Think think = Think::kShow;
  int64_t choices = 1;
  std::string schema_field;               // that held it
  std::string schema;                     // JSON Schema that the answer must satisfy; empty: none
  std::shared_ptr<const ToolPlan> tools;  // functions that may be called; null: none
};

// A piece of a call that an answer makes.
struct ToolCallPiece {
  enum class Kind : uint8_t {
    kName,       // a call begins; the whole name
    kArguments,  // a piece of the arguments' JSON
    kEnd,        // they are complete
  };
  Kind kind;
  int64_t index;  // of the call in its answer
  std::string_view text;
};

// A piece of an answer: text that became certain, and the tokens that came since the last piece.
struct AnswerPiece {
  std::string_view text;
  std::string_view thinking;
  std::vector<TokenChoice> tokens;
  const ToolCallPiece* call = nullptr;  // then there is no text
};

// Called on the engine's thread, or within StartAnswers. What it gathers in the request's Reply is
// sent at the end of the step, and after OnDone.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void OnPiece(int64_t choice, AnswerPiece piece) = 0;
  // left: tokens that no piece has brought. Once for each choice. The result's text holds no calls.
  virtual void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) = 0;
};

// Everything that an endpoint needs of a request's model; the error is ready to be sent.
struct ModelForRequest {
  ModelRef info;
  std::shared_ptr<ModelHost> host;
  double load_seconds = 0;
};
// 400 without a name, 404 with near names, 503 with sizes where it does not fit.
bool FindModel(const Services& services, const OrderedJson& body, ModelRef* info, ApiError* error);
bool AcquireModel(const Services& services, const ModelRef& info, ModelForRequest* model,
                  ApiError* error);

// Queues all choices. False: the schema cannot be enforced, the key may not use so many tokens, or
// one of them found the queue full and what had been queued of them is cancelled (the sink hears of
// that). Where max_tokens is negative, what the key has left ends an answer, too. When the client
// leaves, what runs is cancelled.
bool StartAnswers(const Services& services, const ModelForRequest& model, const Tenant& tenant,
                  PreparedPrompt prompt, const GenerateParams& params,
                  std::shared_ptr<AnswerSink> sink, const std::shared_ptr<Reply>& reply,
                  ApiError* error);

// What was submitted under these ids ends when the client leaves.
void CancelWhenGone(const ModelForRequest& model, std::vector<int64_t> ids, Reply* reply);

// The error of a full queue, a lost model, ...
ApiError ErrorOfSubmit(const Status& status);

}  // namespace galen::server
