#include "engine/scheduler.h"

#include <algorithm>

namespace galen {

Scheduler::Scheduler(KvPool* pool, PrefixCache* cache, const SchedulerOptions& options)
    : pool_(pool), cache_(cache), options_(options) {}

void Scheduler::Add(std::unique_ptr<Sequence> sequence) {
  sequence->tables.assign(pool_->num_groups(), {});
  waiting_.push_back(std::move(sequence));
}

void Scheduler::Release(Sequence* sequence) {
  for (int g = 0; g < pool_->num_groups(); ++g) {
    for (int32_t page : sequence->tables[g].pages) pool_->group(g).pages.Unref(page);
    sequence->tables[g] = {};
  }
  sequence->computed = 0;
  sequence->digests.clear();
}

// Pages that no coming query of a sliding-window layer can see.
void Scheduler::DropPassedPages(Sequence* sequence) {
  for (int g = 0; g < pool_->num_groups(); ++g) {
    const int64_t window = pool_->group(g).window;
    if (window == 0) continue;
    BlockTable& table = sequence->tables[g];
    const int64_t first_seen =
        std::max<int64_t>(0, sequence->computed - options_.rollback - window + 1) / kPageTokens;
    while (!table.pages.empty() && table.first_page < first_seen) {
      pool_->group(g).pages.Unref(table.pages.front());
      table.pages.erase(table.pages.begin());
      ++table.first_page;
    }
  }
}

bool Scheduler::GrowTables(Sequence* sequence, int64_t end) {
  const int64_t end_page = (end + kPageTokens - 1) / kPageTokens;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    BlockTable& table = sequence->tables[g];
    while (table.end_page() < end_page) {
      PageAllocator& pages = pool_->group(g).pages;
      if (pages.num_free() == 0 && !(cache_ != nullptr && cache_->FreePage(g))) return false;
      table.pages.push_back(pages.Allocate());
    }
  }
  return true;
}

bool Scheduler::AllocatePages(Sequence* sequence, int64_t end) {
  DropPassedPages(sequence);
  while (!GrowTables(sequence, end)) {
    // The one that came last makes room, unless it is this one.
    Sequence* victim = running_.empty() ? nullptr : running_.back().get();
    if (victim == nullptr || victim == sequence) return false;
    Preempt(victim);
  }
  return true;
}

void Scheduler::Preempt(Sequence* sequence) {
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [&](const auto& s) { return s.get() == sequence; });
  GALEN_CHECK(it != running_.end());
  sequence->KeepGuesses(0);
  Release(sequence);
  waiting_.push_front(std::move(*it));
  running_.erase(it);
  ++preemptions_;
}

std::unique_ptr<Sequence> Scheduler::Remove(Sequence* sequence) {
  for (auto* list : {&running_, &waiting_}) {
    for (auto it = list->begin(); it != list->end(); ++it) {
      if (it->get() != sequence) continue;
      std::unique_ptr<Sequence> owned = std::move(*it);
      list->erase(it);
      Release(owned.get());
      return owned;
    }
  }
  GALEN_CHECK(!"a sequence of this scheduler");
}

// Tokens of the sequence that the next step may compute: `wanted`, and out of `budget`.
int64_t Scheduler::ChunkOf(const Sequence& sequence, int64_t wanted, int64_t budget) const {
  int64_t end = sequence.computed + std::min({sequence.pending(), wanted, budget});
  for (const MediaSpan& media : sequence.request.media) {
    // Where a cached prefix ends inside an image, its other tokens follow in one piece: the cached
    // ones have seen them.
    if (!media.bidirectional || media.begin >= end || end >= media.end()) continue;
    const bool fits = media.end() - sequence.computed <= budget;
    end = sequence.computed < media.begin ? media.begin : fits ? media.end() : sequence.computed;
  }
  return end - sequence.computed;
}

std::vector<ScheduledSpan> Scheduler::Schedule(std::vector<Sequence*>* impossible,
                                               int64_t prompt_tokens) {
  std::vector<ScheduledSpan> spans;
  int64_t budget = options_.max_batch_tokens;
  int64_t wanted = budget;  // of prompts, or of answers that are computed again
  const auto add = [&](Sequence* sequence, int64_t count) {
    if (!AllocatePages(sequence, sequence->computed + count)) return false;
    spans.push_back({sequence, sequence->computed, count});
    budget -= count;
    return true;
  };
  const auto is_running = [&](Sequence* s) {
    return std::any_of(running_.begin(), running_.end(),
                       [&](const auto& r) { return r.get() == s; });
  };
  const auto alone = [&] { return running_.size() == 1 && spans.empty(); };
  std::vector<Sequence*> order;
  for (const auto& sequence : running_) order.push_back(sequence.get());
  for (const bool generating : {true, false}) {
    if (!generating && !spans.empty()) wanted = std::min(wanted, prompt_tokens);
    for (Sequence* sequence : order) {
      const bool generates = sequence->computed >= sequence->prompt_size() &&
                             sequence->computed > 0 && sequence->pending() - sequence->guesses == 1;
      if (generates != generating || !is_running(sequence)) continue;
      sequence->KeepGuesses(
          std::max<int64_t>(0, budget - (sequence->pending() - sequence->guesses)));
      const int64_t count = ChunkOf(*sequence, generates ? budget : wanted, budget);
      if (count == 0) continue;
      if (add(sequence, count)) {
        if (!generates) wanted = std::max<int64_t>(0, wanted - count);
        continue;
      }
      if (alone())
        impossible->push_back(sequence);
      else if (is_running(sequence))
        Preempt(sequence);
    }
  }
  // A sequence that made room for another after it was given a span is computed later.
  std::erase_if(spans, [&](const ScheduledSpan& span) { return !is_running(span.sequence); });
  while (std::min(budget, wanted) > 0 && !waiting_.empty() &&
         static_cast<int64_t>(running_.size()) < options_.max_sequences) {
    Sequence* sequence = waiting_.front().get();
    const bool first = !sequence->cached;
    if (cache_ != nullptr) cache_->Attach(sequence);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    const int64_t count = ChunkOf(*sequence, wanted, budget);
    if (count == 0) break;  // an image that the rest of this step has no room for
    if (add(sequence, count)) {
      wanted = std::max<int64_t>(0, wanted - count);
      continue;
    }
    if (alone()) {
      impossible->push_back(sequence);
    } else {
      Preempt(sequence);
      --preemptions_;  // it had not begun
      if (first) sequence->cached.reset();
    }
    break;
  }
  return spans;
}

bool Scheduler::PagesBalance() const {
  for (int g = 0; g < pool_->num_groups(); ++g) {
    const PageAllocator& pages = pool_->group(g).pages;
    std::vector<int32_t> held(pages.num_pages(), 0);
    for (const auto& sequence : running_) {
      for (int32_t page : sequence->tables[g].pages) ++held[page];
    }
    for (int32_t page = 0; page < pages.num_pages(); ++page) {
      if (pages.references(page) < held[page]) return false;
      if (cache_ == nullptr && pages.references(page) != held[page]) return false;
    }
  }
  return true;
}

}  // namespace galen
