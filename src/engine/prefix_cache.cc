#include "engine/prefix_cache.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace galen {

PrefixCache::PrefixCache(KvPool* pool, int64_t max_pages, int64_t window_pages)
    : pool_(pool), max_pages_(max_pages), window_pages_(window_pages), key_(RandomSipKey()) {}

Digest128 PrefixCache::Root(const Request& request) const {
  const uint64_t numbers[] = {request.cache_salt, request.adapters};
  uint8_t bytes[sizeof(numbers)];
  std::memcpy(bytes, numbers, sizeof(numbers));
  return SipHash128(key_, bytes);
}

PrefixCache::Content PrefixCache::ContentOf(const Sequence& sequence, int64_t page,
                                            int64_t tokens) {
  const int64_t begin = page * kPageTokens, end = begin + tokens;
  Content content{{sequence.tokens.data() + begin, static_cast<size_t>(tokens)}, {}};
  for (const MediaSpan& media : sequence.request.media) {
    if (media.begin >= end || media.end() <= begin) continue;
    const Digest128& digest = media.embedding->digest;
    const uint64_t numbers[] = {digest.low, digest.high, static_cast<uint64_t>(media.begin),
                                static_cast<uint64_t>(media.token_columns)};
    content.media.insert(content.media.end(), std::begin(numbers), std::end(numbers));
  }
  return content;
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

std::optional<PrefixCache::Lru::iterator> PrefixCache::Find(const Digest128& parent,
                                                            const Content& content) const {
  const auto found = entries_.find(Next(parent, content));
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = *found->second;
  const auto begins_with = [](const auto& whole, const auto& part) {
    return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
  };
  const bool same = entry.parent == parent && begins_with(entry.tokens, content.tokens) &&
                    begins_with(entry.media, content.media);
  return same ? std::optional(found->second) : std::nullopt;
}

PrefixCache::Match PrefixCache::LastPage(const Sequence& sequence, const Digest128& parent,
                                         int64_t page) const {
  const int64_t left = static_cast<int64_t>(sequence.tokens.size()) - page * kPageTokens;
  for (int64_t tokens = std::min(left, kPageTokens); tokens > 0; --tokens) {
    const auto entry = Find(parent, ContentOf(sequence, page, tokens));
    if (!entry) continue;
    const std::vector<int32_t>& pages = (*entry)->pages;
    if (std::find(pages.begin(), pages.end(), -1) != pages.end()) continue;
    return {*entry, std::min(tokens, left - 1)};
  }
  return {};
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
  for (int g = 0; g < pool_->num_groups(); ++g) {
    room = room && (pool_->group(g).pages.num_free() > 0 || FreePage(g));
  }
  for (int g = 0; g < pool_->num_groups(); ++g) {
    PageAllocator& pages = pool_->group(g).pages;
    if (room) {
      sequence->tables[g].pages.push_back(pages.Allocate());
      pool_->CopyTokens(g, from[g], sequence->tables[g].pages.back(), match.tokens);
    }
    pages.Unref(from[g]);
  }
  return room;
}

void PrefixCache::Attach(Sequence* sequence) {
  GALEN_CHECK(sequence->computed == 0);
  const int64_t most = static_cast<int64_t>(sequence->tokens.size()) - 1;
  std::vector<Lru::iterator> chain;
  Digest128 digest = Root(sequence->request);
  for (int64_t page = 0; page < most / kPageTokens; ++page) {
    const auto entry = Find(digest, ContentOf(*sequence, page));
    if (!entry) break;
    chain.push_back(*entry);
    digest = (*entry)->digest;
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
  Match part = LastPage(*sequence, digest, length);
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
    sequence->digests.push_back(InsertPage(*sequence, content, page));
  }
  // A sequence that was computed again may have slid past its last page.
  const bool held = std::all_of(
      sequence->tables.begin(), sequence->tables.end(),
      [&](const BlockTable& table) { return full >= table.first_page && full < table.end_page(); });
  // A short text is computed again sooner than it is worth a page.
  if (unfinished && held && full > 0 && tokens % kPageTokens > 0) {
    InsertPage(*sequence, ContentOf(*sequence, full, tokens % kPageTokens), full);
    sequence->remembered = tokens;
  }
  Trim();
}

Digest128 PrefixCache::InsertPage(const Sequence& sequence, const Content& content, int64_t page) {
  const Digest128 parent = page == 0 ? Root(sequence.request) : sequence.digests[page - 1];
  const Digest128 digest = Next(parent, content);
  const std::optional<Lru::iterator> beginning = Beginning(sequence, parent, page);
  if (const auto found = entries_.find(digest); found != entries_.end()) {
    if (beginning && *beginning != found->second) Drop(*beginning);
    KeepWindows(&*found->second, sequence, page);
    Touch(found->second);
    return digest;
  }
  if (beginning) {
    Entry& entry = **beginning;
    entry.beginnings.push_back(std::exchange(entry.digest, digest));
    entry.tokens.assign(content.tokens.begin(), content.tokens.end());
    entry.media = content.media;
    KeepWindows(&entry, sequence, page);
    Touch(*beginning);
    entries_[digest] = *beginning;
    return digest;
  }
  Entry entry{digest,
              parent,
              {content.tokens.begin(), content.tokens.end()},
              content.media,
              std::vector<int32_t>(pool_->num_groups(), -1)};
  for (int g = 0; g < pool_->num_groups(); ++g) {
    if (pool_->group(g).window != 0) continue;
    entry.pages[g] = sequence.tables[g].pages[page];
    pool_->group(g).pages.Ref(entry.pages[g]);
  }
  KeepWindows(&entry, sequence, page);
  if (const auto above = entries_.find(parent); above != entries_.end()) ++above->second->children;
  lru_.push_front(std::move(entry));
  entries_[digest] = lru_.begin();
  return digest;
}

std::optional<PrefixCache::Lru::iterator> PrefixCache::Beginning(const Sequence& sequence,
                                                                 const Digest128& parent,
                                                                 int64_t page) const {
  const int64_t tokens = sequence.remembered - page * kPageTokens;
  if (tokens <= 0 || tokens >= kPageTokens) return std::nullopt;
  const auto entry = Find(parent, ContentOf(sequence, page, tokens));
  if (!entry) return std::nullopt;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    const BlockTable& table = sequence.tables[g];
    if (page < table.first_page || page >= table.end_page()) continue;
    if ((*entry)->pages[g] == table.pages[page - table.first_page]) return entry;
  }
  return std::nullopt;
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
  for (const Digest128& beginning : entry->beginnings) entries_.erase(beginning);
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
