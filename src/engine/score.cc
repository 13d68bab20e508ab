#include "engine/score.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/sampler.h"

namespace galen {
namespace {

// One text on its way through a model.
Result<std::unique_ptr<TextPass>> Start(const CausalLM& model, const KernelTable& kernels,
                                        ThreadPool& threads, const ScoreOptions& options,
                                        std::span<const int32_t> tokens) {
  ASSIGN_OR_RETURN(std::unique_ptr<TextPass> pass,
                   TextPass::Create(model, kernels, threads, options, TextPass::Rows::kLogits,
                                    static_cast<int64_t>(tokens.size())));
  RETURN_IF_ERROR(pass->Begin(tokens));
  return pass;
}

// What one text is under a model and options.
struct Subject {
  const CausalLM& model;
  const ScoreOptions& options;
};

Result<ScoreComparison> Compare(const Subject& subject, const Subject& reference,
                                const KernelTable& kernels, ThreadPool& threads,
                                std::span<const int32_t> tokens) {
  if (tokens.size() < 2) return InvalidArgument("a comparison needs a text of at least two tokens");
  ASSIGN_OR_RETURN(const std::unique_ptr<TextPass> first,
                   Start(subject.model, kernels, threads, subject.options, tokens));
  ScoreOptions same_chunks = reference.options;
  same_chunks.runner.max_batch_tokens = subject.options.runner.max_batch_tokens;
  ASSIGN_OR_RETURN(const std::unique_ptr<TextPass> second,
                   Start(reference.model, kernels, threads, same_chunks, tokens));
  const int64_t predictions = static_cast<int64_t>(tokens.size()) - 1;
  ScoreComparison result;
  int64_t agree = 0;
  for (int64_t done = 0; done < predictions;) {
    int64_t at = 0;
    const Tensor a = first->Next(&at), b = second->Next(&at);
    GALEN_CHECK(!a.empty() && a.rows() == b.rows());
    const int64_t vocab = a.cols();
    for (int64_t i = 0; i < a.rows() && done < predictions; ++i, ++done) {
      const float *x = a.row(i), *y = b.row(i);
      float lse[2];
      kernels.log_sum_exp(x, 1, vocab, &lse[0]);
      kernels.log_sum_exp(y, 1, vocab, &lse[1]);
      double kl = 0;
      for (int64_t v = 0; v < vocab; ++v) {
        const double log_q = static_cast<double>(x[v]) - lse[0],
                     log_p = static_cast<double>(y[v]) - lse[1];
        kl += std::exp(log_p) * (log_p - log_q);
      }
      result.kl_mean += kl;
      agree += kernels.argmax(x, vocab) == kernels.argmax(y, vocab);
      result.logprobs.push_back(x[tokens[done + 1]] - lse[0]);
      result.other_logprobs.push_back(y[tokens[done + 1]] - lse[1]);
    }
  }
  result.kl_mean /= static_cast<double>(predictions);
  result.greedy_agreement = static_cast<double>(agree) / static_cast<double>(predictions);
  return result;
}

}  // namespace

Status ForEachPrediction(const CausalLM& model, const KernelTable& kernels, ThreadPool& threads,
                         const ScoreOptions& options, std::span<const int32_t> tokens,
                         const std::function<void(int64_t, std::span<float>)>& fn) {
  if (tokens.empty()) return InvalidArgument("the text is empty");
  ASSIGN_OR_RETURN(const std::unique_ptr<TextPass> pass,
                   Start(model, kernels, threads, options, tokens));
  const int64_t predictions = static_cast<int64_t>(tokens.size()) - 1;
  while (!pass->done()) {
    int64_t first = 0;
    const Tensor logits = pass->Next(&first);
    for (int64_t i = 0; i < logits.rows() && first + i < predictions; ++i) {
      fn(first + i, {logits.row(i), static_cast<size_t>(logits.cols())});
    }
  }
  return OkStatus();
}

Result<std::vector<float>> ScoreTokens(const CausalLM& model, const KernelTable& kernels,
                                       ThreadPool& threads, const ScoreOptions& options,
                                       std::span<const int32_t> tokens) {
  std::vector<float> logprobs(tokens.empty() ? 0 : tokens.size() - 1);
  RETURN_IF_ERROR(ForEachPrediction(
      model, kernels, threads, options, tokens, [&](int64_t i, std::span<float> logits) {
        float lse;
        kernels.log_sum_exp(logits.data(), 1, static_cast<int64_t>(logits.size()), &lse);
        logprobs[i] = logits[tokens[i + 1]] - lse;
      }));
  return logprobs;
}

Result<ScoreComparison> CompareScores(const CausalLM& model, const KernelTable& kernels,
                                      ThreadPool& threads, const ScoreOptions& options,
                                      const ScoreOptions& reference,
                                      std::span<const int32_t> tokens) {
  return Compare({model, options}, {model, reference}, kernels, threads, tokens);
}

Result<ScoreComparison> CompareModels(const CausalLM& model, const CausalLM& reference,
                                      const KernelTable& kernels, ThreadPool& threads,
                                      const ScoreOptions& options,
                                      std::span<const int32_t> tokens) {
  const int64_t vocab = model.config().vocab_size, other = reference.config().vocab_size;
  if (vocab != other) {
    return InvalidArgument("the models have vocabularies of " + std::to_string(vocab) + " and " +
                           std::to_string(other) + " tokens and cannot be compared");
  }
  return Compare({model, options}, {reference, options}, kernels, threads, tokens);
}

}  // namespace galen
