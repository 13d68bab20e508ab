// Which tokens of which sequences the next step computes, and the pages for them. Pure bookkeeping:
// no tensors, no model. Rules: every sequence that generates gets its next token first, with as
// many guesses as fit; what is left of the step's budget goes to prompts in order of arrival, in
// chunks that cut no image whose tokens see each other in both directions (max_batch_tokens must
// have room for one beside the generating sequences). Where somebody generates, prompts get no more
// than the caller says, but an image in one piece all the same. When pages run out, unused cached
// prefixes go first, then the sequence that came last gives its pages back and is computed again
// later.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "base/status.h"
#include "engine/kv_pool.h"
#include "engine/prefix_cache.h"
#include "engine/sequence.h"

namespace galen {

struct SchedulerOptions {
  int64_t max_batch_tokens = 512;  // tokens of a step
  int64_t max_sequences = 64;      // running at once; others wait
  int64_t rollback =
      0;  // Sequence::computed may be set back by so many tokens: window pages are kept that long
};

// Tokens [begin, begin + count) of a sequence.
struct ScheduledSpan {
  Sequence* sequence = nullptr;
  int64_t begin = 0;
  int64_t count = 0;
  bool last() const { return begin + count == static_cast<int64_t>(sequence->tokens.size()); }
};

class Scheduler {
 public:
  Scheduler(KvPool* pool, PrefixCache* cache, const SchedulerOptions& options);

  void Add(std::unique_ptr<Sequence> sequence);
  // The next step; empty when there is nothing to do. Each span has pages for its tokens. A
  // sequence that cannot get pages even alone comes back in *impossible. prompt_tokens: of prompts,
  // in a step in which others generate; at least 1.
  std::vector<ScheduledSpan> Schedule(std::vector<Sequence*>* impossible,
                                      int64_t prompt_tokens = std::numeric_limits<int64_t>::max());
  // Takes a sequence out, with its pages. The caller may keep the object.
  std::unique_ptr<Sequence> Remove(Sequence* sequence);
  // Gives back a sequence's pages; it will be computed again.
  void Preempt(Sequence* sequence);

  const std::deque<std::unique_ptr<Sequence>>& running() const { return running_; }
  const std::deque<std::unique_ptr<Sequence>>& waiting() const { return waiting_; }
  bool idle() const { return running_.empty() && waiting_.empty(); }
  int64_t preemptions() const { return preemptions_; }
  // Every page in use is held by a sequence or by the cache; for tests, when nothing runs.
  bool PagesBalance() const;

 private:
  bool GrowTables(Sequence* sequence, int64_t end);
  bool AllocatePages(Sequence* sequence, int64_t end);
  void DropPassedPages(Sequence* sequence);
  void Release(Sequence* sequence);
  int64_t ChunkOf(const Sequence& sequence, int64_t wanted, int64_t budget) const;

  KvPool* pool_;
  PrefixCache* cache_;
  const SchedulerOptions options_;
  std::deque<std::unique_ptr<Sequence>> running_;  // in order of arrival
  std::deque<std::unique_ptr<Sequence>> waiting_;
  int64_t preemptions_ = 0;
};

}  // namespace galen
