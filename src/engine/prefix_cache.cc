#include "engine/prefix_cache.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace galen {

PrefixCache::PrefixCache(KvPool* pool, int64_t max_pages, int64_t window_pages)
    : pool_(pool), max_pages_(max_pages), window_pages_(window_pages), key_(RandomSipKey()) {}

Digest128 PrefixCache::Root(const Request& request) const {
  const uint64_t numbers[] = {request.cache_salt, request.adapters};
  uint8_t bytes[sizeof(numbers)];
  std::memcpy(bytes, numbers, sizeof(numbers));
  return SipHash128(key_, bytes);
}

PrefixCache::Content PrefixCache::ContentOf(const Sequence& sequence, int64_t page) {
  const int64_t begin = page * kPageTokens, end = begin + kPageTokens;
  Content content{{sequence.tokens.data() + begin, kPageTokens}, {}};
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
  std::vector<uint8_t> bytes(sizeof(parent) + content.tokens.size_bytes() +
                             content.media.size() * sizeof(uint64_t));
  std::memcpy(bytes.data(), &parent, sizeof(parent));
  std::memcpy(bytes.data() + sizeof(parent), content.tokens.data(), content.tokens.size_bytes());
  if (!content.media.empty()) {
    std::memcpy(bytes.data() + sizeof(parent) + content.tokens.size_bytes(), content.media.data(),
                content.media.size() * sizeof(uint64_t));
  }
  return SipHash128(key_, bytes);
}

void PrefixCache::Attach(Sequence* sequence) {
  GALEN_CHECK(sequence->computed == 0);
  const int64_t most = (static_cast<int64_t>(sequence->tokens.size()) - 1) / kPageTokens;
  std::vector<Lru::iterator> chain;
  Digest128 digest = Root(sequence->request);
  for (int64_t page = 0; page < most; ++page) {
    const Content content = ContentOf(*sequence, page);
    const Digest128 next = Next(digest, content);
    const auto found = entries_.find(next);
    if (found == entries_.end()) break;
    const Entry& entry = *found->second;
    const bool same_tokens =
        std::equal(content.tokens.begin(), content.tokens.end(), entry.tokens.begin());
    if (!(entry.parent == digest) || !same_tokens || content.media != entry.media) break;
    chain.push_back(found->second);
    digest = next;
  }
  // The longest border at which every group has the pages that it still needs.
  int64_t length = static_cast<int64_t>(chain.size());
  const auto first_needed = [&](int g, int64_t border) {
    const int64_t window = pool_->group(g).window;
    return window == 0 ? 0
                       : std::max<int64_t>(0, (border * kPageTokens - window + 1) / kPageTokens);
  };
  const auto complete = [&](int64_t border) {
    for (int g = 0; g < pool_->num_groups(); ++g) {
      for (int64_t page = first_needed(g, border); page < border; ++page) {
        if (chain[page]->pages[g] < 0) return false;
      }
    }
    return true;
  };
  while (length > 0 && !complete(length)) --length;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    BlockTable& table = sequence->tables[g];
    table.first_page = first_needed(g, length);
    table.pages.clear();
    for (int64_t page = table.first_page; page < length; ++page) {
      pool_->group(g).pages.Ref(chain[page]->pages[g]);
      table.pages.push_back(chain[page]->pages[g]);
    }
  }
  sequence->digests.clear();
  for (int64_t page = 0; page < length; ++page) {
    sequence->digests.push_back(chain[page]->digest);
    Touch(chain[page]);
  }
  sequence->computed = sequence->cached = length * kPageTokens;
  hit_tokens_ += sequence->cached;
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

void PrefixCache::Insert(Sequence* sequence, int64_t tokens_end) {
  GALEN_CHECK(tokens_end <= sequence->computed);
  const int64_t full = tokens_end / kPageTokens;
  for (int64_t page = static_cast<int64_t>(sequence->digests.size()); page < full; ++page) {
    const Content content = ContentOf(*sequence, page);
    const Digest128 parent = page == 0 ? Root(sequence->request) : sequence->digests[page - 1];
    const Digest128 digest = Next(parent, content);
    sequence->digests.push_back(digest);
    if (const auto found = entries_.find(digest); found != entries_.end()) {
      KeepWindows(&*found->second, *sequence, page);
      Touch(found->second);
      continue;
    }
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
    if (const auto above = entries_.find(parent); above != entries_.end())
      ++above->second->children;
    lru_.push_front(std::move(entry));
    entries_[digest] = lru_.begin();
  }
  Trim();
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
