// Text out of an Engine: streamed text, stop strings, thinking kept apart.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat_prompt.h"
#include "engine/engine.h"
#include "engine/thinking.h"
#include "models/open_model.h"

namespace galen {

// Ids that end an answer: the tokenizer's and the configuration's.
std::vector<int32_t> StopTokens(const ModelFiles& files);

// The tokens that constraints may choose from, made once per model: some 0.3 s for 262,144 tokens.
Result<std::shared_ptr<const grammar::Vocabulary>> ConstraintVocabulary(const ModelFiles& files);

struct TextRequest {
  std::vector<int32_t> prompt;
  std::vector<MediaSpan> media;  // Request::media
  SamplingParams sampling;
  int64_t max_tokens = 1024;
  std::vector<std::string> stop_strings;
  bool ignore_stop_tokens = false;
  Think think = Think::kHide;
  // Unlike other sequences' of the same prefix cache: tenants must not see each other's timing.
  uint64_t cache_salt = 0;
  uint64_t adapters = kAllAdapters;                  // Request::adapters
  std::function<void(const TokenChoice&)> on_token;  // each token, before the text it made certain
  // What the answer must be; null: anything. ConstraintVocabulary makes its vocabulary.
  std::shared_ptr<const grammar::Constraint> constraint;
  std::function<void(std::string_view)> on_text;      // pieces of the answer in order
  std::function<void(std::string_view)> on_thinking;  // pieces of the thought, never under kHide
  std::function<bool()> cancelled;                    // asked between steps, by Generate alone
};

struct TextResult {
  std::string text;
  std::string thinking;             // what stood in thinking blocks, also where it was cut off
  std::vector<TokenChoice> tokens;  // all, thinking too
  FinishReason finish = FinishReason::kNone;
  double prefill_seconds = 0;  // to the first token
  double decode_seconds = 0;   // from there to the end
  int64_t cached_tokens = 0;   // of the prompt, taken from the prefix cache
  bool complete = true;        // under a constraint: the answer satisfies it; false: it was cut off
};

// Hands a request to an engine that others use, too. Its callbacks, and on_done at the end, come
// from Engine::Step. The id is for Engine::Cancel; a request that is cancelled is done with
// FinishReason::kCancelled. Errors: as of Engine::Submit, and on_done is not called.
using TextDone = std::function<void(Result<TextResult>)>;
Result<int64_t> SubmitText(Engine& engine, const ModelFiles& files, TextRequest request,
                           TextDone on_done);

// Runs one request to its end on an engine that nobody else drives.
Result<TextResult> Generate(Engine& engine, const ModelFiles& files, const TextRequest& request);

}  // namespace galen
