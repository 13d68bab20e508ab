#include "engine/scheduler.h"

#include <algorithm>
#include <random>

#include "engine/engine_test_util.h"

namespace galen {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  void Make(const std::string& architecture, std::vector<int64_t> pages,
            const SchedulerOptions& options, bool cache = false) {
    pool_ = std::make_unique<KvPool>(*KvPool::Create(TestConfig(architecture), KvType::kI8, pages));
    if (cache) cache_ = std::make_unique<PrefixCache>(pool_.get(), pages[0], 6);
    options_ = options;
    scheduler_ = std::make_unique<Scheduler>(pool_.get(), cache_.get(), options);
  }
  Sequence* Add(int64_t size, uint64_t seed = 1) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = ++last_id_;
    sequence->tokens = sequence->request.prompt = TestTokens(size, seed);
    Sequence* raw = sequence.get();
    scheduler_->Add(std::move(sequence));
    return raw;
  }
  std::vector<ScheduledSpan> Schedule() {
    impossible_.clear();
    return scheduler_->Schedule(&impossible_);
  }
  // What the engine does with a step: keys are written, and whoever has nothing pending gets a
  // token.
  void Finish(const std::vector<ScheduledSpan>& spans) {
    for (const ScheduledSpan& span : spans) {
      const bool last = span.last();
      span.sequence->computed = span.begin + span.count;
      if (last) span.sequence->tokens.push_back(static_cast<int32_t>(span.sequence->id));
      const int64_t prompt = span.sequence->prompt_size();
      if (cache_) {
        cache_->Insert(span.sequence, std::min(span.sequence->computed, prompt),
                       span.begin < prompt && span.sequence->computed >= prompt);
      }
    }
  }
  // Each span has a page for every token that it computes or sees.
  void CheckPages(const std::vector<ScheduledSpan>& spans) {
    int64_t tokens = 0;
    for (const ScheduledSpan& span : spans) {
      tokens += span.count;
      ASSERT_GT(span.count, 0);
      ASSERT_EQ(span.begin, span.sequence->computed);
      for (int g = 0; g < pool_->num_groups(); ++g) {
        const int64_t window = pool_->group(g).window;
        const BlockTable& table = span.sequence->tables[g];
        const int64_t seen = window == 0 ? 0 : std::max<int64_t>(0, span.begin - window + 1);
        ASSERT_LE(table.first_page * kPageTokens, seen);
        ASSERT_GE(table.end_page() * kPageTokens, span.begin + span.count);
        ASSERT_LE(
            static_cast<int64_t>(table.pages.size()),
            KvPool::PagesPerSequence(window, static_cast<int64_t>(span.sequence->tokens.size()),
                                     options_.max_batch_tokens));
        for (int32_t page : table.pages) ASSERT_GE(pool_->group(g).pages.references(page), 1);
        // Nobody else reads or writes the pages that it writes.
        for (int64_t page = span.begin / kPageTokens; page < table.end_page(); ++page) {
          const int32_t written = table.pages[page - table.first_page];
          for (const auto& other : scheduler_->running()) {
            const std::vector<int32_t>& theirs = other->tables[g].pages;
            ASSERT_TRUE(other.get() == span.sequence ||
                        std::find(theirs.begin(), theirs.end(), written) == theirs.end());
          }
        }
      }
    }
    ASSERT_LE(tokens, options_.max_batch_tokens);
    ASSERT_LE(static_cast<int64_t>(scheduler_->running().size()), options_.max_sequences);
    ASSERT_TRUE(scheduler_->PagesBalance());
  }

  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<PrefixCache> cache_;
  SchedulerOptions options_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<Sequence*> impossible_;
  int64_t last_id_ = 0;
};

TEST_F(SchedulerTest, NothingToDo) {
  Make("llama", {8}, {16, 4});
  EXPECT_TRUE(scheduler_->idle());
  EXPECT_TRUE(Schedule().empty());
  EXPECT_TRUE(scheduler_->PagesBalance());
}

TEST_F(SchedulerTest, PromptsComeInChunksInOrderOfArrival) {
  Make("llama", {32}, {16, 4});
  Sequence* a = Add(20);
  Sequence* b = Add(20);
  std::vector<ScheduledSpan> spans = Schedule();
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].sequence, a);
  EXPECT_EQ(spans[0].count, 16);
  EXPECT_FALSE(spans[0].last());
  Finish(spans);
  spans = Schedule();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].count, 4);
  EXPECT_TRUE(spans[0].last());
  EXPECT_EQ(spans[1].sequence, b);
  EXPECT_EQ(spans[1].count, 12);
  Finish(spans);
  // Whoever generates comes first; the rest of the budget is the prompt's.
  Sequence* c = Add(40);
  spans = Schedule();
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[0].sequence, a);
  EXPECT_EQ(spans[0].count, 1);
  EXPECT_EQ(spans[1].sequence, b);
  EXPECT_EQ(spans[1].count, 8);
  EXPECT_EQ(spans[2].sequence, c);
  EXPECT_EQ(spans[2].count, 7);
}

// Where others wait for a token, prompts get what the caller says, all of them together.
TEST_F(SchedulerTest, PromptsBesideAnswersAreShort) {
  Make("llama", {64}, {64, 4});
  Sequence* a = Add(70);
  Sequence* b = Add(30);
  std::vector<ScheduledSpan> spans = scheduler_->Schedule(&impossible_, 8);
  ASSERT_EQ(spans.size(), 1u);  // nobody waits for a token: the whole step
  EXPECT_EQ(spans[0].count, 64);
  Finish(spans);
  spans = scheduler_->Schedule(&impossible_, 8);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].count, 6);
  EXPECT_EQ(spans[1].count, 30);
  Finish(spans);
  Sequence* c = Add(12);
  Sequence* d = Add(12);
  spans = scheduler_->Schedule(&impossible_, 8);
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[0].sequence, a);
  EXPECT_EQ(spans[1].sequence, b);
  EXPECT_EQ(spans[2].sequence, c);
  EXPECT_EQ(spans[2].count, 8);
  Finish(spans);
  spans = scheduler_->Schedule(&impossible_, 8);
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(spans[2].count, 4);
  EXPECT_EQ(spans[3].sequence, d);
  EXPECT_EQ(spans[3].count, 4);
}

// An image whose tokens see each other comes in one step, however short the chunks beside it are.
TEST_F(SchedulerTest, AnImageBesideAnswersIsNotCut) {
  Make("llama", {64}, {64, 4});
  Add(4);
  Finish(Schedule());
  Sequence* b = Add(60);
  auto embedding = std::make_shared<MediaEmbedding>();
  embedding->rows = 40;
  b->request.media.push_back({10, embedding, true});
  std::vector<int64_t> counts;
  while (b->computed < 60) {
    const std::vector<ScheduledSpan> spans = scheduler_->Schedule(&impossible_, 8);
    ASSERT_EQ(spans.size(), 2u);
    counts.push_back(spans[1].count);
    Finish(spans);
  }
  EXPECT_EQ(counts, (std::vector<int64_t>{8, 2, 40, 8, 2}));
}

TEST_F(SchedulerTest, NoMoreSequencesThanAllowed) {
  Make("llama", {32}, {100, 2});
  for (int i = 0; i < 3; ++i) Add(5);
  EXPECT_EQ(Schedule().size(), 2u);
  EXPECT_EQ(scheduler_->waiting().size(), 1u);
}

TEST_F(SchedulerTest, GuessesFitTheBudget) {
  Make("llama", {32}, {8, 4});
  Sequence* a = Add(4);
  Sequence* b = Add(4);
  Finish(Schedule());
  for (Sequence* s : {a, b}) {
    ASSERT_EQ(s->pending(), 1);
    s->tokens.insert(s->tokens.end(), 5, 9);
    s->guesses = 5;
  }
  const std::vector<ScheduledSpan> spans = Schedule();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].count, 6);
  EXPECT_EQ(spans[1].count, 2);
  EXPECT_EQ(b->guesses, 1);
  EXPECT_EQ(b->tokens.size(), 6u);
  EXPECT_TRUE(spans[1].last());
  scheduler_->Preempt(a);
  EXPECT_EQ(a->guesses, 0);
  EXPECT_EQ(a->tokens.size(), 5u);
}

TEST_F(SchedulerTest, TheLatestMakesRoom) {
  Make("llama", {4}, {256, 4});
  Sequence* a = Add(2 * kPageTokens);
  Sequence* b = Add(2 * kPageTokens);
  Finish(Schedule());
  EXPECT_EQ(scheduler_->running().size(), 2u);
  // Both need a third page: b gives way and waits.
  std::vector<ScheduledSpan> spans = Schedule();
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].sequence, a);
  EXPECT_EQ(scheduler_->preemptions(), 1);
  ASSERT_EQ(scheduler_->waiting().size(), 1u);
  EXPECT_EQ(b->computed, 0);
  EXPECT_TRUE(b->tables[0].pages.empty());
  EXPECT_TRUE(impossible_.empty());
  Finish(spans);
  scheduler_->Remove(a);
  spans = Schedule();
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].sequence, b);
  EXPECT_EQ(spans[0].count, 2 * kPageTokens + 1);
}

TEST_F(SchedulerTest, WhatCannotHavePagesAloneIsImpossible) {
  Make("llama", {2}, {256, 4});
  Sequence* a = Add(3 * kPageTokens);
  Add(5);
  Schedule();
  ASSERT_EQ(impossible_, std::vector<Sequence*>{a});
  scheduler_->Remove(a);
  EXPECT_EQ(Schedule().size(), 1u);
  EXPECT_TRUE(impossible_.empty());
}

TEST_F(SchedulerTest, WindowsGiveBackWhatTheyPassed) {
  Make("gemma3", {32, 32}, {16, 1});
  Sequence* a = Add(300);
  int64_t most = 0;
  while (a->computed < 300) {
    const std::vector<ScheduledSpan> spans = Schedule();
    CheckPages(spans);
    most = std::max<int64_t>(most, static_cast<int64_t>(a->tables[1].pages.size()));
    Finish(spans);
  }
  EXPECT_GT(a->tables[1].first_page, 6);
  EXPECT_LE(most, KvPool::PagesPerSequence(40, 300, 16));
  EXPECT_EQ(a->tables[0].pages.size(), 10u);
  scheduler_->Remove(a);
  EXPECT_EQ(UsedPages(*pool_), 0);
}

TEST_F(SchedulerTest, RollbackKeepsPagesBehindTheWindow) {
  Make("gemma3", {32, 32}, {.max_batch_tokens = 1, .max_sequences = 1, .rollback = 6});
  Sequence* a = Add(1);
  while (a->computed < 200) {
    Finish(Schedule());
    const int64_t seen = std::max<int64_t>(0, a->computed - 6 - 40 + 1);
    ASSERT_LE(a->tables[1].first_page * kPageTokens, seen);
  }
  EXPECT_GT(a->tables[1].first_page, 0);
}

// Random arrivals, ends, cancellations and preemptions under page pressure.
TEST_F(SchedulerTest, Soak) {
  for (const bool cache : {false, true}) {
    for (const char* architecture : {"llama", "gemma3"}) {
      SCOPED_TRACE(std::string(architecture) + (cache ? " with a cache" : ""));
      std::vector<int64_t> pages = {12};
      if (std::string(architecture) == "gemma3") pages.push_back(20);
      cache_.reset();
      Make(architecture, pages, {48, 3}, cache);
      std::mt19937 random(7);
      std::vector<Sequence*> live;
      int64_t finished = 0, refused = 0;
      for (int step = 0; step < 3000; ++step) {
        if (live.size() < 6 && random() % 4 == 0)
          live.push_back(Add(1 + random() % 250, random() % 5));
        if (random() % 50 == 0 && !scheduler_->running().empty()) {
          scheduler_->Preempt(scheduler_->running()[random() % scheduler_->running().size()].get());
        }
        const std::vector<ScheduledSpan> spans = Schedule();
        CheckPages(spans);
        if (HasFatalFailure()) return;
        for (Sequence* sequence : impossible_) {
          scheduler_->Remove(sequence);
          std::erase(live, sequence);
          ++refused;
        }
        ASSERT_TRUE(!spans.empty() || !impossible_.empty() || live.empty());
        Finish(spans);
        for (size_t i = 0; i < live.size();) {
          Sequence* sequence = live[i];
          const bool done =
              static_cast<int64_t>(sequence->tokens.size()) > sequence->prompt_size() + 40;
          if (!done && random() % 300 != 0) {
            ++i;
            continue;
          }
          finished += done;
          scheduler_->Remove(sequence);
          live.erase(live.begin() + static_cast<int64_t>(i));
        }
      }
      EXPECT_GT(finished, 20);
      EXPECT_GT(scheduler_->preemptions(), 5);
      for (Sequence* sequence : live) scheduler_->Remove(sequence);
      EXPECT_TRUE(scheduler_->idle());
      EXPECT_TRUE(scheduler_->PagesBalance());
      const PageAllocator& full = pool_->group(0).pages;
      EXPECT_EQ(full.num_pages() - full.num_free(), cache ? cache_->size() : 0);
    }
  }
}

}  // namespace
}  // namespace galen
