#include "engine/prefix_cache.h"

#include <algorithm>

#include "engine/engine_test_util.h"
#include "engine/scheduler.h"

namespace galen {
namespace {

constexpr int64_t kP = kPageTokens;

// A pool with a cache, and sequences that are "computed" without a model.
class PrefixCacheTest : public testing::Test {
 protected:
  void Make(const std::string& architecture, std::vector<int64_t> pages, int64_t window_pages = 8,
            int64_t max_pages = 1000) {
    pool_ = std::make_unique<KvPool>(*KvPool::Create(TestConfig(architecture), KvType::kI8, pages));
    cache_ = std::make_unique<PrefixCache>(pool_.get(), max_pages, window_pages);
    scheduler_ = std::make_unique<Scheduler>(pool_.get(), cache_.get(), SchedulerOptions{64, 4});
  }
  Sequence* Begin(const std::vector<int32_t>& tokens, uint64_t salt = 0) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = ++last_id_;
    sequence->tokens = sequence->request.prompt = tokens;
    sequence->request.cache_salt = salt;
    Sequence* raw = sequence.get();
    scheduler_->Add(std::move(sequence));
    return raw;
  }
  // Steps until nothing is pending; returns false if some sequence cannot have pages.
  bool Compute() {
    std::vector<Sequence*> impossible;
    while (true) {
      const std::vector<ScheduledSpan> spans = scheduler_->Schedule(&impossible);
      if (spans.empty() || !impossible.empty()) return impossible.empty();
      for (const ScheduledSpan& span : spans) {
        span.sequence->computed = span.begin + span.count;
        computed_ += span.count;
        cache_->Insert(span.sequence, span.sequence->computed, span.last());
      }
    }
  }
  // Computes a text to its end and returns how many of its tokens came from the cache.
  int64_t Cached(const std::vector<int32_t>& tokens, uint64_t salt = 0) {
    Sequence* sequence = Begin(tokens, salt);
    EXPECT_TRUE(Compute());
    EXPECT_EQ(sequence->computed, static_cast<int64_t>(tokens.size()));
    const int64_t cached = sequence->cached.value_or(0);
    scheduler_->Remove(sequence);
    EXPECT_TRUE(scheduler_->PagesBalance());
    EXPECT_EQ(UsedPages(*pool_), cache_->held_pages());  // none twice, none lost
    return cached;
  }

  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<PrefixCache> cache_;
  std::unique_ptr<Scheduler> scheduler_;
  int64_t last_id_ = 0;
  int64_t computed_ = 0;  // tokens, in all
};

TEST_F(PrefixCacheTest, AHitIsTheLongestKnownPrefix) {
  Make("llama", {64});
  const std::vector<int32_t> text = TestTokens(5 * kP, 1);
  EXPECT_EQ(Cached(text), 0);
  // One token must be left to compute.
  EXPECT_EQ(Cached(text), 5 * kP - 1);
  std::vector<int32_t> longer = text;
  longer.push_back(7);
  EXPECT_EQ(Cached(longer), 5 * kP);
  std::vector<int32_t> other = text;
  other[2 * kP + 3] ^= 1;
  EXPECT_EQ(Cached(other), 2 * kP);
  other[0] ^= 1;
  EXPECT_EQ(Cached(other), 0);
  // Texts shorter than a page are not kept.
  EXPECT_EQ(Cached({1, 2, 3}), 0);
  EXPECT_EQ(Cached({1, 2, 3}), 0);
}

TEST_F(PrefixCacheTest, AHitSharesPages) {
  Make("llama", {64});
  const std::vector<int32_t> text = TestTokens(3 * kP + 1, 2);
  Sequence* first = Begin(text);
  ASSERT_TRUE(Compute());
  Sequence* second = Begin(text);
  ASSERT_TRUE(Compute());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(first->tables[0].pages[i], second->tables[0].pages[i]);
    EXPECT_EQ(pool_->group(0).pages.references(first->tables[0].pages[i]),
              3);  // two sequences and the cache
  }
  EXPECT_NE(first->tables[0].pages[3], second->tables[0].pages[3]);
  scheduler_->Remove(first);
  scheduler_->Remove(second);
  EXPECT_EQ(UsedPages(*pool_), 4);  // what the cache keeps
}

TEST_F(PrefixCacheTest, AnUnfinishedPageIsKnown) {
  Make("llama", {64});
  const std::vector<int32_t> text = TestTokens(2 * kP + 10, 14);
  EXPECT_EQ(Cached(text), 0);
  computed_ = 0;
  EXPECT_EQ(Cached(text), 2 * kP + 9);
  EXPECT_EQ(computed_, 1);  // the token whose logits are wanted
  // All of it, or whole pages only: how far a prompt is like another inside a page is not told.
  for (const int64_t common : {2 * kP + 10, 2 * kP + 9, 2 * kP + 1, 2 * kP, 2 * kP - 1}) {
    std::vector<int32_t> other(text.begin(), text.begin() + common);
    if (common < 2 * kP + 10) other.push_back(text[common] ^ 1);
    other.insert(other.end(), {1, 2, 3});
    EXPECT_EQ(Cached(other), common == 2 * kP + 10 ? common : common / kP * kP) << common;
    EXPECT_EQ(Cached(text), 2 * kP + 9);  // all of them are known
    EXPECT_EQ(Cached(other), static_cast<int64_t>(other.size()) - 1);
  }
}

// Whoever writes a page goes on writing; whoever begins like it writes a copy.
TEST_F(PrefixCacheTest, UnfinishedPagesAreNotShared) {
  Make("gemma3", {64, 64});
  const std::vector<int32_t> text = TestTokens(kP + 10, 15);
  Sequence* first = Begin(text);
  ASSERT_TRUE(Compute());
  for (int g = 0; g < 2; ++g)
    EXPECT_EQ(pool_->group(g).pages.references(first->tables[g].pages[1]), 2);
  Sequence* second = Begin(text);
  Sequence* third = Begin(text);
  ASSERT_TRUE(Compute());
  EXPECT_EQ(third->cached, kP + 9);
  for (int g = 0; g < 2; ++g) {
    EXPECT_NE(first->tables[g].pages[1], second->tables[g].pages[1]);
    EXPECT_NE(first->tables[g].pages[1], third->tables[g].pages[1]);
    EXPECT_NE(second->tables[g].pages[1], third->tables[g].pages[1]);
    EXPECT_EQ(first->tables[g].pages[0], third->tables[g].pages[0]);
  }
  for (Sequence* sequence : {first, second, third}) scheduler_->Remove(sequence);
  EXPECT_EQ(UsedPages(*pool_), 4);
  EXPECT_EQ(cache_->held_pages(), 4);
}

// Turns of a conversation, each the former one and more.
TEST_F(PrefixCacheTest, AGrowingTextGoesOnFromItsEnd) {
  for (const char* architecture : {"llama", "gemma3"}) {
    Make(architecture, std::string(architecture) == "llama" ? std::vector<int64_t>{64}
                                                            : std::vector<int64_t>{64, 64});
    const std::vector<int32_t> text = TestTokens(3 * kP, 16);
    for (int64_t size = 7; size <= 3 * kP; size += 7) {
      const int64_t before = size - 7;  // too short for a page at first
      EXPECT_EQ(Cached({text.begin(), text.begin() + size}), before < kP ? 0 : before);
    }
  }
}

// One sequence whose unfinished page is remembered, then the same page with more tokens: it is held
// once, also where the finished page had been known and had lost its window.
TEST_F(PrefixCacheTest, APageIsHeldOnce) {
  Make("gemma3", {64, 64}, /*window_pages=*/2);
  const std::vector<int32_t> text = TestTokens(2 * kP, 20);
  for (int round = 0; round < 2; ++round) {
    Sequence* sequence = Begin({text.begin(), text.begin() + kP + 10});
    ASSERT_TRUE(Compute());
    sequence->tokens = text;
    ASSERT_TRUE(Compute());
    scheduler_->Remove(sequence);
    EXPECT_EQ(UsedPages(*pool_), cache_->held_pages());
    Cached(TestTokens(3 * kP, 21));  // takes the windows
  }
}

// Against the plain definition: whole pages in common with any text before, or all of such a text.
TEST_F(PrefixCacheTest, ManyTextsThatBeginAlike) {
  Make("llama", {2000}, 8, 2000);
  std::vector<std::vector<int32_t>> known;
  int64_t inside = 0;
  for (uint64_t seed = 0; seed < 90; ++seed) {
    const std::vector<int32_t> draws = TestTokens(8, seed, 1000);
    std::vector<int32_t> text;
    for (int piece = 0; piece < 4; ++piece) {
      const std::vector<int32_t> part = TestTokens(12 + draws[piece] % 4 * 7, draws[4 + piece] % 2);
      text.insert(text.end(), part.begin(), part.end());
      if (seed % 3 > 0 && piece == static_cast<int>(seed % 3)) break;
    }
    const int64_t size = static_cast<int64_t>(text.size());
    int64_t most = 0;
    for (const std::vector<int32_t>& other : known) {
      const auto differ = std::mismatch(text.begin(), text.end(), other.begin(), other.end());
      const int64_t common = differ.first - text.begin();
      const bool all = differ.second == other.end();
      const int64_t whole = common / kP * kP == size ? size - 1 : common / kP * kP;
      const bool kept = all && common >= kP;
      most = std::max(most, kept ? std::min(common, size - 1) : whole);
    }
    ASSERT_EQ(Cached(text), most) << seed;
    inside += most % kP != 0;
    known.push_back(text);
  }
  EXPECT_GE(inside, 5);
  EXPECT_GT(cache_->size(), 60);
}

// What was found by an attempt that was put back does not count: its pages may be gone.
TEST_F(PrefixCacheTest, CachedIsWhatTheAdmissionFound) {
  Make("llama", {6});
  const std::vector<int32_t> text = TestTokens(2 * kP, 22);
  Cached(text);
  Sequence* big = Begin(TestTokens(4 * kP, 23));
  ASSERT_TRUE(Compute());
  std::vector<int32_t> longer = text;
  const std::vector<int32_t> rest = TestTokens(3 * kP, 24);
  longer.insert(longer.end(), rest.begin(), rest.end());
  Sequence* late = Begin(longer);
  std::vector<Sequence*> impossible;
  scheduler_->Schedule(&impossible);
  EXPECT_FALSE(late->cached.has_value());  // two pages known, none free for the next
  scheduler_->Remove(big);
  ASSERT_TRUE(Compute());
  EXPECT_EQ(late->cached, 2 * kP);
  scheduler_->Remove(late);
}

TEST_F(PrefixCacheTest, WithoutAFreePageAHitEndsAtWholeOnes) {
  Make("gemma3", {4, 3});
  const std::vector<int32_t> text = TestTokens(2 * kP + 10, 17);
  Sequence* first = Begin(text);
  ASSERT_TRUE(Compute());
  Sequence second;
  second.tokens = second.request.prompt = text;
  second.tables.assign(2, {});
  cache_->Attach(&second);  // the second group has no page left
  EXPECT_EQ(second.computed, 2 * kP);
  EXPECT_EQ(second.tables[0].pages.size(), 2u);
  EXPECT_EQ(second.digests.size(), 2u);
  EXPECT_EQ(pool_->group(0).pages.num_free(), 1);
  for (int g = 0; g < 2; ++g) {
    for (int32_t page : second.tables[g].pages) pool_->group(g).pages.Unref(page);
  }
  scheduler_->Remove(first);
  EXPECT_EQ(UsedPages(*pool_), cache_->held_pages());
}

// Making room for a copy forgets others, not the page that is copied.
TEST_F(PrefixCacheTest, ACopyTakesTheOldestPage) {
  Make("llama", {4});
  const std::vector<int32_t> text = TestTokens(kP + 10, 18);
  EXPECT_EQ(Cached(text), 0);
  EXPECT_EQ(Cached(TestTokens(2 * kP, 19)), 0);
  EXPECT_EQ(UsedPages(*pool_), 4);
  EXPECT_EQ(Cached(text), kP + 9);
  EXPECT_EQ(cache_->size(), 3);
  EXPECT_EQ(Cached(text), kP + 9);
}

TEST_F(PrefixCacheTest, SaltsSeparate) {
  Make("llama", {64});
  const std::vector<int32_t> text = TestTokens(3 * kP, 3);
  EXPECT_EQ(Cached(text, 1), 0);
  EXPECT_EQ(Cached(text, 2), 0);
  EXPECT_EQ(Cached(text, 1), 3 * kP - 1);
  EXPECT_EQ(Cached(text, 2), 3 * kP - 1);
  const std::vector<int32_t> shorter = TestTokens(kP + 9, 3);
  EXPECT_EQ(Cached(shorter, 3), 0);
  EXPECT_EQ(Cached(shorter, 3), kP + 8);
}

TEST_F(PrefixCacheTest, AWindowNeedsOnlyThePagesThatItSees) {
  Make("gemma3", {64, 64}, /*window_pages=*/3);  // window 40: a border needs two pages or three
  const std::vector<int32_t> text = TestTokens(8 * kP + 5, 4);
  EXPECT_EQ(Cached(text), 0);
  EXPECT_EQ(pool_->group(1).pages.num_pages() - pool_->group(1).pages.num_free(), 3);
  Sequence* sequence = Begin(text);
  ASSERT_TRUE(Compute());
  EXPECT_EQ(sequence->cached, 8 * kP + 4);
  EXPECT_LE(sequence->tables[1].first_page, (8 * kP + 4 - 40 + 1) / kP);
  scheduler_->Remove(sequence);
  // Far back no border is complete: the windows were let go.
  const std::vector<int32_t> half(text.begin(), text.begin() + 4 * kP + 1);
  EXPECT_EQ(Cached(half), 0);
  // Having been computed again, that border is complete.
  EXPECT_EQ(Cached(half), 4 * kP);
}

TEST_F(PrefixCacheTest, BeginningsOfTextsHaveNoWindowToMiss) {
  Make("gemma3", {64, 64}, /*window_pages=*/2);
  const std::vector<int32_t> text = TestTokens(kP + 1, 5);
  EXPECT_EQ(Cached(text), 0);
  EXPECT_EQ(Cached(text), kP);
}

TEST_F(PrefixCacheTest, EvictionTakesTheEndOfTheOldestText) {
  Make("llama", {8});
  const std::vector<int32_t> old_text = TestTokens(4 * kP, 6), new_text = TestTokens(4 * kP, 7);
  EXPECT_EQ(Cached(old_text), 0);
  EXPECT_EQ(Cached(new_text), 0);
  EXPECT_EQ(UsedPages(*pool_), 8);
  Cached(TestTokens(2 * kP, 8));  // takes two pages of the oldest
  EXPECT_EQ(cache_->size(), 8);
  EXPECT_EQ(Cached(new_text), 4 * kP - 1);  // the copy of its last page is a third of the oldest
  EXPECT_EQ(Cached(old_text), kP);
}

TEST_F(PrefixCacheTest, PagesInUseAreNotEvicted) {
  Make("llama", {6});
  const std::vector<int32_t> text = TestTokens(3 * kP + 1, 9);
  Cached(text);
  Sequence* sequence = Begin(text);
  ASSERT_TRUE(Compute());
  const std::vector<int32_t> pages = sequence->tables[0].pages;
  Begin(TestTokens(2 * kP, 10));
  ASSERT_TRUE(Compute());
  EXPECT_FALSE(cache_->FreePage(0));
  EXPECT_EQ(sequence->tables[0].pages, pages);
  for (int32_t page : pages) EXPECT_GE(pool_->group(0).pages.references(page), 1);
}

// A sequence that computed a known prefix itself must not find the pool full of entries that it
// hangs on.
TEST_F(PrefixCacheTest, OneSequenceMayHaveThePoolToItself) {
  Make("gemma3", {6, 16}, /*window_pages=*/3);
  const std::vector<int32_t> text = TestTokens(4 * kP, 11);
  Cached(text);
  std::vector<int32_t> branch(text.begin(),
                              text.begin() + kP + 1);  // its border has lost its window: no hit
  const std::vector<int32_t> rest = TestTokens(5 * kP - 1, 12);
  branch.insert(branch.end(), rest.begin(), rest.end());
  EXPECT_EQ(Cached(branch), 0);  // takes all six pages, the known beginning's among them
  EXPECT_LE(cache_->size(), 6);
}

TEST_F(PrefixCacheTest, NoMoreEntriesThanAllowed) {
  Make("gemma3", {64, 64}, 4, /*max_pages=*/3);
  Cached(TestTokens(10 * kP, 13));
  EXPECT_EQ(cache_->size(), 3);
  EXPECT_EQ(pool_->group(0).pages.num_pages() - pool_->group(0).pages.num_free(), 3);
  EXPECT_LE(pool_->group(1).pages.num_pages() - pool_->group(1).pages.num_free(), 4);
}

TEST_F(PrefixCacheTest, EverythingCanBeFreed) {
  Make("gemma3", {40, 40});
  for (uint64_t seed = 0; seed < 12; ++seed) Cached(TestTokens(6 * kP + 7, seed % 5));
  for (int g = 0; g < 2; ++g) {
    PageAllocator& pages = pool_->group(g).pages;
    std::vector<int32_t> taken;
    while (pages.num_free() > 0 || cache_->FreePage(g)) taken.push_back(pages.Allocate());
    EXPECT_EQ(static_cast<int64_t>(taken.size()), pages.num_pages());
  }
  EXPECT_EQ(cache_->size(), 0);
}

}  // namespace
}  // namespace galen
