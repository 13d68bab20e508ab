// The engine: requests in, tokens out. One thread owns it and calls Step in a loop; callbacks run
// on that thread.
//
//   Engine::Create -> Submit, Submit, ... -> while (!idle()) Step()
//
// A step computes one batch: the next token of everything that generates, and chunks of prompts. An
// internal error fails the requests in flight and closes the engine; nothing else of the process is
// harmed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "engine/speculation.h"
#include "engine/step_pace.h"
#include "models/causal_lm.h"

namespace galen {

enum class Speculate : uint8_t { kOff, kNgram, kModel };

struct EngineOptions {
  RunnerOptions runner;
  KvType kv_type = KvType::kBf16;
  int64_t context = 4096;     // tokens of one sequence at most
  int64_t max_sequences = 1;  // running at once
  int64_t total_tokens =
      0;  // tokens of all sequences that fit the cache at once; 0: max_sequences * context
  bool prefix_cache = true;
  Speculate speculate = Speculate::kOff;
  int64_t max_draft = 6;  // with the token before them, the rows that decode in registers
  // What a constraint leaves no choice about is not computed token by token: it is taken as the
  // tokenizer spells it, or, where log-probabilities are asked for, guessed (max_draft tokens).
  bool forced_drafts = false;
  // How long a step may take in which answers wait for their next token, as far as the chunks of
  // prompts in it decide that; 0: no matter. Which chunks there are then depends on the time.
  double step_seconds = 0;
  uint64_t adapters = 0;                  // loaded, a bit each
  uint64_t shared_adapters = 0;           // of these, the ones that serve every request
  const CausalLM* draft_model = nullptr;  // kModel only; must outlive the engine
};

struct EngineCounters {
  int64_t steps = 0;
  int64_t prompt_tokens = 0;  // computed, not taken from the cache
  int64_t cached_tokens = 0;
  int64_t answer_tokens = 0;
  int64_t drafted_tokens = 0;
  int64_t accepted_tokens = 0;
  int64_t forced_tokens = 0;  // of the answers, taken without a choice
  int64_t preemptions = 0;
  int64_t pages_used = 0;    // of the KV cache, by whomever; of these
  int64_t pages_cached = 0;  // held by the prefix cache: all, when nothing runs
};

class Engine {
 public:
  // model, kernels and threads must outlive the engine. Fails when the options do not fit the model
  // (context, draft vocabulary) or memory cannot be reserved.
  static Result<std::unique_ptr<Engine>> Create(const CausalLM& model, const KernelTable& kernels,
                                                ThreadPool& threads, const EngineOptions& options);
  // Bytes of cache and activations that Create would reserve.
  static int64_t ReservedBytes(const CausalLM& model, const KernelTable& kernels, int num_threads,
                               const EngineOptions& options);

  // InvalidArgument for an empty prompt, adapters that are not loaded, ids outside the vocabulary
  // and sampling values out of range; ResourceExhausted for a prompt that leaves no room for an
  // answer in the context. Returns the request's id.
  Result<int64_t> Submit(Request request);
  // The request ends with kCancelled at the next step. Unknown ids are ignored.
  void Cancel(int64_t id);
  // Computes one batch. False if there was nothing to do.
  bool Step();
  bool idle() const { return scheduler_.idle(); }

  // Gives the pages of a running sequence back, to be computed again (for tests of resumption).
  void PreemptForTest(int64_t id);

  const EngineCounters& counters() const { return counters_; }
  const KvPool& pool() const { return *pool_; }
  const Scheduler& scheduler() const { return scheduler_; }
  int64_t arena_high_water() const { return runner_.arena_high_water(); }

 private:
  Engine(const CausalLM& model, const EngineOptions& options, std::unique_ptr<KvPool> pool,
         ModelRunner runner);

  Sequence* FindRunning(int64_t id) const;
  void Finish(Sequence* sequence, FinishReason reason, const std::string& error = "");
  void FinishCancelled();
  std::vector<int32_t> ForcedTokens(const Sequence& sequence) const;
  // False if the sequence ended.
  bool TakeForced(Sequence* sequence);
  void AddDrafts();
  bool IsAnswer(const ScheduledSpan& span) const;
  void Compute(const std::vector<ScheduledSpan>& spans);
  void ComputeTogether(std::span<const ScheduledSpan> spans, bool prompt);
  void CountPages();
  void Remember(const ScheduledSpan& span, bool finished);
  // Takes the tokens that the logits rows choose; returns false if the sequence ended.
  bool TakeTokens(const ScheduledSpan& span, const Tensor& logits, int64_t row, int64_t rows);
  TokenChoice Choose(const Sequence& sequence, float* logits) const;
  std::vector<int32_t> DraftFor(const Sequence& sequence, int64_t most);

  const CausalLM& model_;
  const EngineOptions options_;
  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<PrefixCache> cache_;
  ModelRunner runner_;
  Scheduler scheduler_;
  std::unique_ptr<Drafter> drafter_;
  StepPace pace_;
  const int64_t single_rows_;
  EngineCounters counters_;
  int64_t next_id_ = 1;
  std::string failure_;  // set by an internal error: the engine takes no more work
};

}  // namespace galen
