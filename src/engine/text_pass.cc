#include "engine/text_pass.h"

#include <algorithm>
#include <string>
#include <utility>

namespace galen {

Result<std::unique_ptr<TextPass>> TextPass::Create(const CausalLM& model,
                                                   const KernelTable& kernels, ThreadPool& threads,
                                                   const PassOptions& options, Rows rows,
                                                   int64_t longest) {
  const ModelConfig& config = model.config();
  if (longest > config.max_position_embeddings) {
    return ResourceExhausted("the text has " + std::to_string(longest) +
                             " tokens and the model's context only " +
                             std::to_string(config.max_position_embeddings) + "; give it in parts");
  }
  RunnerOptions fixed = options.runner;
  // Logits of a whole chunk are kept: no more rows than about 256 MiB of them.
  fixed.max_batch_tokens =
      std::clamp<int64_t>((int64_t{256} << 20) / (config.vocab_size * 4), 1,
                          std::max<int64_t>(1, options.runner.max_batch_tokens));
  fixed.max_logit_rows = fixed.max_batch_tokens;
  std::unique_ptr<TextPass> pass(new TextPass());
  pass->config_ = &config;
  pass->rows_ = rows;
  pass->longest_ = longest;
  pass->adapters_ = options.adapters;
  std::vector<int64_t> pages;
  for (int64_t window : KvPool::GroupWindows(config))
    pages.push_back(KvPool::PagesPerSequence(window, longest, fixed.max_batch_tokens));
  ASSIGN_OR_RETURN(pass->pool_, KvPool::Create(config, options.kv_type, pages));
  ASSIGN_OR_RETURN(ModelRunner runner, ModelRunner::Create(model, kernels, threads, fixed));
  pass->runner_ = std::make_unique<ModelRunner>(std::move(runner));
  pass->scheduler_ = std::make_unique<Scheduler>(&pass->pool_, nullptr,
                                                 SchedulerOptions{fixed.max_batch_tokens, 1});
  return pass;
}

void TextPass::Use(Rows rows, uint64_t adapters) {
  rows_ = rows;
  adapters_ = adapters;
}

Status TextPass::Begin(std::span<const int32_t> tokens) {
  if (tokens.empty()) return InvalidArgument("the text is empty");
  GALEN_CHECK(static_cast<int64_t>(tokens.size()) <= longest_);
  for (int32_t token : tokens) {
    if (token < 0 || token >= config_->vocab_size) {
      return InvalidArgument("token " + std::to_string(token) + " is outside the vocabulary of " +
                             std::to_string(config_->vocab_size));
    }
  }
  if (sequence_ != nullptr) scheduler_->Remove(std::exchange(sequence_, nullptr));
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens.assign(tokens.begin(), tokens.end());
  sequence->request.prompt = sequence->tokens;
  sequence->request.adapters = adapters_;
  sequence_ = sequence.get();
  scheduler_->Add(std::move(sequence));
  done_ = false;
  return OkStatus();
}

Tensor TextPass::Next(int64_t* first) {
  GALEN_CHECK(!done_);
  std::vector<Sequence*> impossible;
  const std::vector<ScheduledSpan> spans = scheduler_->Schedule(&impossible);
  GALEN_CHECK(impossible.empty() && spans.size() == 1);
  const ScheduledSpan& span = spans[0];
  const int64_t wanted = rows_ != Rows::kLastHidden ? span.count : span.last() ? 1 : 0;
  *first = span.begin + span.count - wanted;
  done_ = span.last();
  const Tensor rows = runner_->Run(
      pool_, spans, {&wanted, 1}, true,
      rows_ == Rows::kLogits ? ModelRunner::Output::kLogits : ModelRunner::Output::kHidden);
  span.sequence->computed += span.count;
  return wanted == 0 ? Tensor() : rows;
}

}  // namespace galen
