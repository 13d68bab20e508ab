// Log-probabilities of a given text, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/text_pass.h"

namespace galen {

using ScoreOptions = PassOptions;

// Calls fn(i, logits) for i = 0 .. tokens.size() - 2, where logits [vocab] predict tokens[i + 1];
// the row is the callee's to change and valid during the call. InvalidArgument for ids outside the
// vocabulary; ResourceExhausted for a text longer than the model's context.
Status ForEachPrediction(const CausalLM& model, const KernelTable& kernels, ThreadPool& threads,
                         const ScoreOptions& options, std::span<const int32_t> tokens,
                         const std::function<void(int64_t, std::span<float>)>& fn);

// logprobs[i] = log p(tokens[i + 1] | tokens[0..i]).
Result<std::vector<float>> ScoreTokens(const CausalLM& model, const KernelTable& kernels,
                                       ThreadPool& threads, const ScoreOptions& options,
                                       std::span<const int32_t> tokens);

struct ScoreComparison {
  std::vector<float> logprobs;        // of the first
  std::vector<float> other_logprobs;  // of the second
  double kl_mean = 0;                 // mean over positions of KL(second || first), in nats
  double greedy_agreement = 0;        // share of positions whose most likely token is the same
};
// Scores one text under two options ("what does this mode cost"): `reference` is the second.
Result<ScoreComparison> CompareScores(const CausalLM& model, const KernelTable& kernels,
                                      ThreadPool& threads, const ScoreOptions& options,
                                      const ScoreOptions& reference,
                                      std::span<const int32_t> tokens);

// The same for two models of one vocabulary ("what does this format cost"): `reference` is the
// second. InvalidArgument: the vocabularies differ.
Result<ScoreComparison> CompareModels(const CausalLM& model, const CausalLM& reference,
                                      const KernelTable& kernels, ThreadPool& threads,
                                      const ScoreOptions& options, std::span<const int32_t> tokens);

}  // namespace galen
