// Pages of prompts that were computed before. A page is known by a 128-bit keyed digest over the
// salt, every token up to its end and the digests of all images that begin before it; on a hit the
// tokens and images of the page are compared as well. Sliding-window layers need only the pages
// that the window still sees from a border, and only those are kept for the most recently used
// borders.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/siphash.h"
#include "engine/kv_pool.h"
#include "engine/sequence.h"

namespace galen {

class PrefixCache {
 public:
  // max_pages: entries kept; window_pages: how many of them keep their pages of sliding-window
  // groups.
  PrefixCache(KvPool* pool, int64_t max_pages, int64_t window_pages);

  // Gives an empty sequence the longest known prefix of its prompt that leaves at least one token
  // to compute, and sets computed and cached.
  void Attach(Sequence* sequence);
  // Remembers the full pages among the sequence's first `tokens` tokens, all of them computed, that
  // came since the last call. A page that is known already gets back the sliding-window pages that
  // it had lost.
  void Insert(Sequence* sequence, int64_t tokens);
  // Forgets entries that no sequence uses until group g has a free page; false if none helped.
  // Least recently used first, the end of a text before its beginning: what hangs on a forgotten
  // page could not be found any more.
  bool FreePage(int g);

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  int64_t held_pages() const;  // of all groups
  int64_t hit_tokens() const { return hit_tokens_; }

 private:
  // What one page holds: its tokens, and of each image that overlaps it the digest and where it
  // begins.
  struct Content {
    std::span<const int32_t> tokens;  // kPageTokens
    std::vector<uint64_t> media;      // four numbers for each
  };
  struct Entry {
    Digest128 digest, parent;
    std::vector<int32_t> tokens;  // kPageTokens
    std::vector<uint64_t> media;  // as in Content
    std::vector<int32_t> pages;   // per group; -1: not kept
    int64_t children = 0;         // entries whose parent this is
  };
  using Lru = std::list<Entry>;  // most recently used first
  struct DigestHash {
    size_t operator()(const Digest128& d) const { return static_cast<size_t>(d.low); }
  };

  // The digest of the page that follows `parent`.
  Digest128 Next(const Digest128& parent, const Content& content) const;
  static Content ContentOf(const Sequence& sequence, int64_t page);
  Digest128 Root(const Request& request) const;
  void Touch(Lru::iterator entry) { lru_.splice(lru_.begin(), lru_, entry); }
  // Takes the sequence's window pages into an entry that has none.
  void KeepWindows(Entry* entry, const Sequence& sequence, int64_t page);
  void Drop(Lru::iterator entry);
  void DropWindows(Lru::iterator entry);
  void Trim();

  KvPool* pool_;
  const int64_t max_pages_;
  const int64_t window_pages_;
  int64_t kept_windows_ = 0;
  int64_t hit_tokens_ = 0;
  const SipKey key_;
  Lru lru_;
  std::unordered_map<Digest128, Lru::iterator, DigestHash> entries_;
};

}  // namespace galen
