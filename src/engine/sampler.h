// From logits to a token. Order as in Hugging Face's generate: penalties, bias, constraint,
// temperature, top-k, top-p, min-p, draw.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen {

struct SamplingParams {
  float temperature = 0.0f;  // 0: greedy
  int32_t top_k = 0;         // 0: all
  float top_p = 1.0f;
  float min_p = 0.0f;
  float repetition_penalty =
      1.0f;  // divides positive logits of tokens seen in prompt or answer, multiplies negative ones
  float frequency_penalty = 0.0f;  // subtracted for each time a token stands in the answer
  float presence_penalty = 0.0f;   // subtracted once if it does
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;  // added; -infinity bans a token
  int32_t logprobs =
      -1;  // -1: none; else the number of most likely alternatives reported with each token
};

// InvalidArgument naming the first field out of range. vocab_size bounds the ids of logit_bias.
Status CheckSamplingParams(const SamplingParams& params, int64_t vocab_size);

struct TokenChoice {
  int32_t token = -1;
  float logprob = 0.0f;  // of the model's own distribution, before any of the above
  std::vector<std::pair<int32_t, float>> top;  // most likely first; params.logprobs entries
};

// logits [vocab] are changed in place. history: prompt and answer so far, the answer from
// `answer_begin`. A draw depends on (seed, history.size()) only, so a sequence that was preempted
// and resumed, or batched otherwise, goes on the same way. `constrain` (may be empty) sets the
// logits of what must not be chosen to -infinity.
TokenChoice Sample(const SamplingParams& params, std::span<float> logits,
                   std::span<const int32_t> history, size_t answer_begin,
                   const std::function<void(std::span<float>)>& constrain = {});

// log softmax(logits)[i] is logits[i] - LogSumExp(logits).
float LogSumExp(std::span<const float> logits);

}  // namespace galen
