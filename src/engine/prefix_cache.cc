#include "engine/prefix_cache.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <tuple>

namespace galen {
namespace {

// Of an image in Content::media: digest, where it begins, columns of tokens.
constexpr int64_t kMediaNumbers = 4;
constexpr int64_t kMediaBegin = 2;
// Entries that are looked at to each side of a text's place for one that begins like it.
constexpr int kNeighbours = 64;

int64_t CommonTokens(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

PrefixCache::PrefixCache(KvPool* pool, int64_t max_pages, int64_t window_pages)
    : pool_(pool), max_pages_(max_pages), window_pages_(window_pages), key_(RandomSipKey()) {}

Digest128 PrefixCache::Root(const Request& request) const {
  const uint64_t numbers[] = {request.cache_salt, request.adapters};
  uint8_t bytes[sizeof(numbers)];
  std::memcpy(bytes, numbers, sizeof(numbers));
  return SipHash128(key_, bytes);
}

bool PrefixCache::ByContent::operator()(Lru::iterator a, Lru::iterator b) const {
  const Place place{b->parent, b->tokens};
  if ((*this)(a, place)) return true;
  // Equal tokens, other images.
  return a->parent == b->parent && a->tokens == b->tokens &&
         std::tie(a->digest.low, a->digest.high) < std::tie(b->digest.low, b->digest.high);
}

bool PrefixCache::ByContent::operator()(Lru::iterator a, const Place& b) const {
  if (!(a->parent == b.parent)) {
    return std::tie(a->parent.low, a->parent.high) < std::tie(b.parent.low, b.parent.high);
  }
  return std::lexicographical_compare(a->tokens.begin(), a->tokens.end(), b.tokens.begin(),
                                      b.tokens.end());
}

PrefixCache::Content PrefixCache::ContentOf(const Sequence& sequence, int64_t page,
                                            int64_t tokens) {
  const int64_t begin = page * kPageTokens, end = begin + tokens;
  Content content{{sequence.tokens.data() + begin, static_cast<size_t>(tokens)}, {}};
  for (const MediaSpan& media : sequence.request.media) {
    if (media.begin >= end || media.end() <= begin) continue;
    const Digest128& digest = media.embedding->digest;
    const uint64_t numbers[kMediaNumbers] = {digest.low, digest.high,
                                             static_cast<uint64_t>(media.begin),
                                             static_cast<uint64_t>(media.token_columns)};
    content.media.insert(content.media.end(), std::begin(numbers), std::end(numbers));
  }
  return content;
}

int64_t PrefixCache::Common(const Entry& entry, const Content& content, int64_t page) {
  int64_t tokens = CommonTokens(entry.tokens, content.tokens);
  if (entry.media == content.media) return tokens;
  // Up to where the first image begins that is not the same in both.
  const auto differ = std::mismatch(entry.media.begin(), entry.media.end(), content.media.begin(),
                                    content.media.end());
  const auto image = (differ.first - entry.media.begin()) / kMediaNumbers * kMediaNumbers;
  for (const std::vector<uint64_t>* media : {&entry.media, &content.media}) {
    if (image >= static_cast<int64_t>(media->size())) continue;
    const int64_t begin = static_cast<int64_t>((*media)[image + kMediaBegin]);
    tokens = std::min(tokens, std::max<int64_t>(0, begin - page * kPageTokens));
  }
  return tokens;
}

Digest128 PrefixCache::Next(const Digest128& parent, const Content& content) const {
  const uint64_t count = content.tokens.size();
  std::vector<uint8_t> bytes(sizeof(parent) + sizeof(count) + content.tokens.size_bytes() +
                             content.media.size() * sizeof(uint64_t));
  uint8_t* to = bytes.data();
  const auto append = [&to](const void* from, size_t size) {
    if (size > 0) std::memcpy(to, from, size);
    to += size;
  };
  append(&parent, sizeof(parent));
  append(&count, sizeof(count));
  append(content.tokens.data(), content.tokens.size_bytes());
  append(content.media.data(), content.media.size() * sizeof(uint64_t));
  return SipHash128(key_, bytes);
}

// The first page that a query behind `tokens` tokens sees in group g.
int64_t PrefixCache::FirstNeeded(int g, int64_t tokens) const {
  const int64_t window = pool_->group(g).window;
  return window == 0 ? 0 : std::max<int64_t>(0, tokens - window + 1) / kPageTokens;
}

PrefixCache::Match PrefixCache::Longest(const Digest128& parent, const Content& content,
                                        int64_t page) const {
  Match best;
  if (content.tokens.empty()) return best;
  const auto better = [&](Lru::iterator entry) {
    if (!(entry->parent == parent)) return false;
    if (CommonTokens(entry->tokens, content.tokens) <= best.tokens) return false;
    if (std::find(entry->pages.begin(), entry->pages.end(), -1) != entry->pages.end()) return true;
    const int64_t tokens = Common(*entry, content, page);
    if (tokens > best.tokens) best = {entry, tokens};
    return true;
  };
  // The further away from the place of the content, the fewer tokens are the same.
  const auto place = by_content_.lower_bound(Place{parent, content.tokens});
  auto next = place;
  for (int i = 0; i < kNeighbours && next != by_content_.end() && better(*next); ++i) ++next;
  auto before = place;
  for (int i = 0; i < kNeighbours && before != by_content_.begin(); ++i) {
    if (!better(*--before)) break;
  }
  return best;
}

void PrefixCache::Give(std::span<const Lru::iterator> pages, int64_t tokens, Sequence* sequence) {
  for (int g = 0; g < pool_->num_groups(); ++g) {
    BlockTable& table = sequence->tables[g];
    table.first_page = FirstNeeded(g, tokens);
    table.pages.clear();
    for (size_t page = static_cast<size_t>(table.first_page); page < pages.size(); ++page) {
      pool_->group(g).pages.Ref(pages[page]->pages[g]);
      table.pages.push_back(pages[page]->pages[g]);
    }
  }
}

void PrefixCache::TakeBack(Sequence* sequence) {
  for (int g = 0; g < pool_->num_groups(); ++g) {
    for (int32_t page : sequence->tables[g].pages) pool_->group(g).pages.Unref(page);
    sequence->tables[g] = {};
  }
}

bool PrefixCache::GiveCopy(const Match& match, Sequence* sequence) {
  const std::vector<int32_t> from = match.entry->pages;
  // Making room must not forget what is being copied.
  for (int g = 0; g < pool_->num_groups(); ++g) pool_->group(g).pages.Ref(from[g]);
  bool room = true;
  for (int g = 0; g < pool_->num_groups() && room; ++g) {
    PageAllocator& pages = pool_->group(g).pages;
    room = pages.num_free() > 0 || FreePage(g);
    if (!room) break;
    sequence->tables[g].pages.push_back(pages.Allocate());
    pool_->CopyTokens(g, from[g], sequence->tables[g].pages.back(), match.tokens);
  }
  for (int g = 0; g < pool_->num_groups(); ++g) pool_->group(g).pages.Unref(from[g]);
  return room;
}

void PrefixCache::Attach(Sequence* sequence) {
  GALEN_CHECK(sequence->computed == 0);
  const int64_t most = static_cast<int64_t>(sequence->tokens.size()) - 1;
  std::vector<Lru::iterator> chain;
  Digest128 digest = Root(sequence->request);
  for (int64_t page = 0; page < most / kPageTokens; ++page) {
    const Content content = ContentOf(*sequence, page);
    const Digest128 next = Next(digest, content);
    const auto found = entries_.find(next);
    if (found == entries_.end()) break;
    const Entry& entry = *found->second;
    const bool same_tokens = std::equal(content.tokens.begin(), content.tokens.end(),
                                        entry.tokens.begin(), entry.tokens.end());
    if (!(entry.parent == digest) || !same_tokens || content.media != entry.media) break;
    chain.push_back(found->second);
    digest = next;
  }
  int64_t length = static_cast<int64_t>(chain.size());
  // Whether every group has the pages that it still needs behind so many tokens.
  const auto complete = [&](int64_t tokens) {
    for (int g = 0; g < pool_->num_groups(); ++g) {
      for (int64_t page = FirstNeeded(g, tokens); page < tokens / kPageTokens; ++page) {
        if (chain[page]->pages[g] < 0) return false;
      }
    }
    return true;
  };
  Match part = Longest(
      digest, ContentOf(*sequence, length, std::min(kPageTokens, most - length * kPageTokens)),
      length);
  const int64_t with_part = length * kPageTokens + part.tokens;
  if (part.tokens > 0 && complete(with_part)) {
    Give(chain, with_part, sequence);
    if (!GiveCopy(part, sequence)) {
      TakeBack(sequence);
      part.tokens = 0;
    }
  } else {
    part.tokens = 0;
  }
  if (part.tokens == 0) {
    while (length > 0 && !complete(length * kPageTokens)) --length;
    Give(std::span(chain).first(static_cast<size_t>(length)), length * kPageTokens, sequence);
  }
  sequence->digests.clear();
  for (int64_t page = 0; page < length; ++page) {
    sequence->digests.push_back(chain[page]->digest);
    Touch(chain[page]);
  }
  if (part.tokens > 0) Touch(part.entry);
  sequence->computed = length * kPageTokens + part.tokens;
  if (!sequence->cached) sequence->cached = sequence->computed;
  hit_tokens_ += sequence->computed;
}

void PrefixCache::KeepWindows(Entry* entry, const Sequence& sequence, int64_t page) {
  bool kept = false;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    const BlockTable& table = sequence.tables[g];
    if (pool_->group(g).window == 0 || entry->pages[g] >= 0) continue;
    if (page < table.first_page || page >= table.end_page()) continue;
    entry->pages[g] = table.pages[page - table.first_page];
    pool_->group(g).pages.Ref(entry->pages[g]);
    kept = true;
  }
  kept_windows_ += kept;  // there is one window group at most
}

void PrefixCache::Insert(Sequence* sequence, int64_t tokens, bool unfinished) {
  GALEN_CHECK(tokens <= sequence->computed);
  const int64_t full = tokens / kPageTokens;
  for (int64_t page = static_cast<int64_t>(sequence->digests.size()); page < full; ++page) {
    const Content content = ContentOf(*sequence, page);
    const Digest128 parent = ParentOf(*sequence, page);
    const Digest128 digest = Next(parent, content);
    sequence->digests.push_back(digest);
    if (const auto found = entries_.find(digest); found != entries_.end()) {
      KeepWindows(&*found->second, *sequence, page);
      Touch(found->second);
    } else {
      Add(digest, parent, content, page, sequence);
    }
  }
  if (unfinished && tokens % kPageTokens > 0) InsertUnfinished(sequence, tokens);
  Trim();
}

void PrefixCache::InsertUnfinished(Sequence* sequence, int64_t tokens) {
  const int64_t page = tokens / kPageTokens;
  // A sequence that was computed again may have slid past it.
  for (const BlockTable& table : sequence->tables) {
    if (page < table.first_page || page >= table.end_page()) return;
  }
  const Content content = ContentOf(*sequence, page, tokens % kPageTokens);
  const Digest128 parent = ParentOf(*sequence, page);
  const Digest128 digest = Next(parent, content);
  if (const auto found = entries_.find(digest); found != entries_.end()) {
    KeepWindows(&*found->second, *sequence, page);
    Touch(found->second);
    return;
  }
  const Match known = Longest(parent, content, page);
  if (known.tokens == static_cast<int64_t>(content.tokens.size()))
    Touch(known.entry);  // it goes on from there
  else
    Add(digest, parent, content, page, sequence);
}

void PrefixCache::Add(const Digest128& digest, const Digest128& parent, const Content& content,
                      int64_t page, Sequence* sequence) {
  Entry entry{digest,
              parent,
              {content.tokens.begin(), content.tokens.end()},
              content.media,
              std::vector<int32_t>(pool_->num_groups(), -1)};
  for (int g = 0; g < pool_->num_groups(); ++g) {
    if (pool_->group(g).window != 0) continue;
    entry.pages[g] = sequence->tables[g].pages[page];
    pool_->group(g).pages.Ref(entry.pages[g]);
  }
  KeepWindows(&entry, *sequence, page);
  DropBeginnings(entry, page);
  if (const auto above = entries_.find(parent); above != entries_.end()) ++above->second->children;
  lru_.push_front(std::move(entry));
  entries_[digest] = lru_.begin();
  by_content_.insert(lru_.begin());
}

void PrefixCache::DropBeginnings(const Entry& entry, int64_t page) {
  const std::span<const int32_t> tokens(entry.tokens);
  const Content content{tokens, entry.media};
  for (size_t count = tokens.size() - 1; count > 0;) {
    auto at = by_content_.lower_bound(Place{entry.parent, tokens.first(count)});
    while (at != by_content_.end() && (*at)->parent == entry.parent &&
           std::equal((*at)->tokens.begin(), (*at)->tokens.end(), tokens.begin(),
                      tokens.begin() + static_cast<std::ptrdiff_t>(count))) {
      const Lru::iterator beginning = *at++;
      if (Common(*beginning, content, page) == static_cast<int64_t>(count)) Drop(beginning);
    }
    // No shorter one has more tokens than the neighbour before it has in common.
    if (at == by_content_.begin()) return;
    const Lru::iterator before = *--at;
    if (!(before->parent == entry.parent)) return;
    count = std::min(count - 1, static_cast<size_t>(CommonTokens(before->tokens, tokens)));
  }
}

int64_t PrefixCache::held_pages() const {
  int64_t pages = kept_windows_;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    if (pool_->group(g).window == 0) pages += size();
  }
  return pages;
}

void PrefixCache::DropWindows(Lru::iterator entry) {
  bool had = false;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    int32_t& page = entry->pages[g];
    if (pool_->group(g).window == 0 || page < 0) continue;
    pool_->group(g).pages.Unref(page);
    page = -1;
    had = true;
  }
  kept_windows_ -= had;
}

void PrefixCache::Drop(Lru::iterator entry) {
  DropWindows(entry);
  for (int g = 0; g < pool_->num_groups(); ++g) {
    if (entry->pages[g] >= 0) pool_->group(g).pages.Unref(entry->pages[g]);
  }
  if (const auto above = entries_.find(entry->parent); above != entries_.end()) {
    // It may have come back after this entry and not count it; that costs an eviction out of order
    // at worst.
    if (above->second->children > 0) --above->second->children;
  }
  entries_.erase(entry->digest);
  by_content_.erase(entry);
  lru_.erase(entry);
}

void PrefixCache::Trim() {
  while (size() > max_pages_) {
    // The one used least recently among those that nothing hangs on; the last entry of a chain has
    // no children.
    const auto victim = std::find_if(lru_.rbegin(), lru_.rend(),
                                     [](const Entry& entry) { return entry.children == 0; });
    Drop(std::prev(victim.base()));
  }
  for (auto entry = lru_.end(); kept_windows_ > window_pages_ && entry != lru_.begin();)
    DropWindows(--entry);
}

bool PrefixCache::FreePage(int g) {
  PageAllocator& pages = pool_->group(g).pages;
  const bool sliding = pool_->group(g).window != 0;
  // Entries with others behind them go only when nothing else helps: a running sequence may hang on
  // an entry without using its pages, when it computed the same prefix itself.
  for (const bool leaves_only : {true, false}) {
    for (auto entry = lru_.end(); entry != lru_.begin() && pages.num_free() == 0;) {
      --entry;
      const int32_t page = entry->pages[g];
      if (page < 0 || pages.references(page) > 1) continue;  // dropping it would free nothing here
      if (sliding) {
        DropWindows(entry);
      } else if (!leaves_only || entry->children == 0) {
        const auto victim = entry++;
        Drop(victim);
      }
    }
  }
  return pages.num_free() > 0;
}

}  // namespace galen
