// One step of a model over scheduled spans: builds the flat batch with its pages and runs Forward.
// Owned and called by one thread; holds no state of sequences.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/kv_pool.h"
#include "engine/scheduler.h"
#include "models/adapters.h"
#include "models/causal_lm.h"

namespace galen {

struct RunnerOptions {
  Compute compute = Compute::kBf16;
  bool batch_invariant = false;
  bool invariant_attention =
      false;  // also where a step holds no prompt (speculation checks several tokens at once)
  int64_t max_batch_tokens = 512;
  int64_t max_logit_rows = 64;
  AdapterCosts adapters;  // of the adapters that the model carries
};

class ModelRunner {
 public:
  // model, kernels and pool must outlive the runner.
  static Result<ModelRunner> Create(const CausalLM& model, const KernelTable& kernels,
                                    ThreadPool& threads, const RunnerOptions& options);
  // Most bytes that a step takes beside weights and cache.
  static int64_t ArenaBytes(const CausalLM& model, const KernelTable& kernels, int num_threads,
                            const RunnerOptions& options);

  enum class Output : uint8_t { kLogits, kHidden };
  // Computes the spans. logit_counts[i]: the logits of the last logit_counts[i] tokens of span i
  // are wanted, or their vectors behind the last norm. Returns them in order, [sum of logit_counts,
  // vocab or hidden_size], valid until the next call.
  Tensor Run(const KvPool& pool, std::span<const ScheduledSpan> spans,
             std::span<const int64_t> logit_counts, bool prompt, Output output = Output::kLogits);

  const KernelTable& kernels() const { return *ctx_.kernels; }
  int64_t arena_high_water() const { return arena_->high_water(); }

 private:
  ModelRunner() = default;
  void AddMedia(const ScheduledSpan& span, int64_t row);

  const CausalLM* model_ = nullptr;
  RunnerOptions options_;
  std::unique_ptr<Arena> arena_;
  ExecContext ctx_;
  // Reused from step to step.
  std::vector<int32_t> tokens_, positions_, logit_rows_;
  std::vector<uint8_t*> addresses_;
  std::vector<KvPages> kv_;
  std::vector<SequenceSpan> spans_;
  std::vector<RowSource> embeddings_;
  std::vector<int32_t> look_ahead_;
  std::vector<int32_t> row_positions_, column_positions_;
};

}  // namespace galen
