// Guesses of the next tokens. The model then computes them all in one step and keeps those that it
// would have chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/kv_pool.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace galen {

class Drafter {
 public:
  virtual ~Drafter() = default;
  // Up to `most` tokens that may follow sequence.tokens.
  virtual std::vector<int32_t> Draft(const Sequence& sequence, int64_t most) = 0;
  virtual void Forget(int64_t sequence_id) = 0;
};

// Copies what followed the last occurrence of the text's newest tokens (the longest of 4..2 that
// occurs before).
class NgramDrafter final : public Drafter {
 public:
  std::vector<int32_t> Draft(const Sequence& sequence, int64_t most) override;
  void Forget(int64_t sequence_id) override { indices_.erase(sequence_id); }

 private:
  // Where each n-gram of a sequence ended last, kept up to date token by token.
  struct Index {
    std::unordered_map<uint64_t, int64_t> ends;
    int64_t indexed = 0;
  };
  std::unordered_map<int64_t, Index> indices_;
};

// A smaller model of the same vocabulary, greedy. Its cache follows one sequence; another one
// starts it anew, so it pays for a single stream. Silent where a text has outgrown its context.
class ModelDrafter final : public Drafter {
 public:
  static Result<std::unique_ptr<ModelDrafter>> Create(const CausalLM& model,
                                                      const KernelTable& kernels,
                                                      ThreadPool& threads,
                                                      const RunnerOptions& options, int64_t context,
                                                      int64_t max_draft);
  std::vector<int32_t> Draft(const Sequence& sequence, int64_t most) override;
  void Forget(int64_t sequence_id) override;

 private:
  ModelDrafter(KvPool pool, ModelRunner runner, const SchedulerOptions& options, int64_t context)
      : pool_(std::move(pool)),
        runner_(std::move(runner)),
        scheduler_(&pool_, nullptr, options),
        rollback_(options.rollback),
        context_(context) {}

  KvPool pool_;
  ModelRunner runner_;
  Scheduler scheduler_;
  const int64_t rollback_;  // tokens whose keys may be dropped again without a new start
  const int64_t context_;
  int64_t following_ = -1;  // the sequence whose tokens mirror_ holds
  Sequence* mirror_ = nullptr;
};

}  // namespace galen
