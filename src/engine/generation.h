// Text in, text out, over an Engine: prompts from messages, streamed text, stop strings.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "models/open_model.h"
#include "text/template/chat_template.h"

namespace galen {

// The ids of a conversation, as apply_chat_template(tokenize=True, add_generation_prompt=True) gives them. Control tokens
// come from the template alone: where a message spells one, it stays text. No BOS but the template's own.
Result<std::vector<int32_t>> EncodeChat(const ModelFiles& files, const OrderedJson& messages);

// Ids that end an answer: the tokenizer's and the configuration's.
std::vector<int32_t> StopTokens(const ModelFiles& files);

// Turns tokens into text that may be shown: whole characters, nothing of a stop string or of what may become one.
class TextStream {
 public:
  TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings);
  // The text that became certain. Once stopped() is true, nothing more comes.
  std::string Add(int32_t token);
  std::string Finish();
  bool stopped() const { return stopped_; }

 private:
  std::string Release(bool all);
  StreamingDetokenizer detokenizer_;
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool stopped_ = false;
};

struct TextRequest {
  std::vector<int32_t> prompt;
  SamplingParams sampling;
  int64_t max_tokens = 1024;
  std::vector<std::string> stop_strings;
  bool ignore_stop_tokens = false;
  std::function<void(std::string_view)> on_text;  // pieces in order
  std::function<bool()> cancelled;                // asked between steps
};

struct TextResult {
  std::string text;
  std::vector<TokenChoice> tokens;
  FinishReason finish = FinishReason::kNone;
  double prefill_seconds = 0;  // to the first token
  double decode_seconds = 0;   // from there to the end
  int64_t cached_tokens = 0;   // of the prompt, taken from the prefix cache
};

// Runs one request to its end on an engine that nobody else drives.
Result<TextResult> Generate(Engine& engine, const ModelFiles& files, const TextRequest& request);

}  // namespace galen
