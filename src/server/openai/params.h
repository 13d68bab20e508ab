// Fields that /v1/chat/completions and /v1/completions share.
#pragma once

#include "server/api/fields.h"
#include "server/api/generate.h"

namespace galen::server {

struct StreamParams {
  bool stream = false;
  bool include_usage = false;
};

// Temperature 1 where none is given, as OpenAI's clients expect. Beside OpenAI's fields: top_k,
// min_p, repetition_penalty, under the names that local servers have.
Status ReadOpenAiParams(Fields* fields, const ServerOptions& options, GenerateParams* params,
                        StreamParams* stream);

// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}.
Json UsageJson(int64_t prompt, int64_t completion, int64_t cached);

const char* OpenAiFinish(FinishReason reason);
// A name for an answer: PREFIX and random digits.
std::string AnswerId(const char* prefix);
int64_t UnixNow();
// Names version and mode: answers of equal fingerprints are comparable.
std::string Fingerprint(const Services& services);

// {"token", "logprob", "bytes", "top_logprobs"} of each token.
Json ChatLogprobs(const Tokenizer& tokenizer, const std::vector<TokenChoice>& tokens);

}  // namespace galen::server
