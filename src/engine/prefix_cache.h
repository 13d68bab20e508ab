// Pages of prompts that were computed before. A page is known by a 128-bit keyed digest over the
// salt, every token up to its end and the digests of all images that begin before it; on a hit the
// tokens and images of the page are compared as well. Sliding-window layers need only the pages
// that the window still sees from a border, and only those are kept for the most recently used
// borders.
//
// Sequences share whole pages. The last page of a prompt may be unfinished: it is kept with the
// tokens that it has, and the sequence that wrote it goes on writing behind them. A prompt that has
// all of these tokens there, too, gets a copy of the page, which is its own to write; so a prompt
// that was asked before has one token left to compute. Texts shorter than a page are not kept.
// Pages are known as a whole only, finished or not: a hit that told how many tokens of a page are
// the same would let those who share a salt spell each other's prompts token by token.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
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
  // Pages that a sliding window touches at most, wherever it ends.
  static int64_t PagesOfWindow(int64_t window) {
    return (window + kPageTokens - 3) / kPageTokens + 1;
  }

  // Gives an empty sequence the longest known prefix of its prompt that leaves at least one token
  // to compute, and sets computed; and cached, if it has none. Where no page is free for the copy
  // of the last page, the prefix ends at the page before.
  void Attach(Sequence* sequence);
  // Remembers the full pages among the sequence's first `tokens` tokens, all of them computed, that
  // came since the last call, and where `unfinished` is set the page behind them with the tokens
  // that it has. A page that is known already gets back the sliding-window pages that it had lost.
  void Insert(Sequence* sequence, int64_t tokens, bool unfinished = false);
  // Forgets entries that no sequence uses until group g has a free page; false if none helped.
  // Least recently used first, the end of a text before its beginning: what hangs on a forgotten
  // page could not be found any more.
  bool FreePage(int g);

  int64_t size() const { return static_cast<int64_t>(lru_.size()); }
  int64_t held_pages() const;  // of all groups
  int64_t hit_tokens() const { return hit_tokens_; }

 private:
  // What one page holds: its tokens, and of each image that overlaps it the digest and where it
  // begins.
  struct Content {
    std::span<const int32_t> tokens;  // at most kPageTokens
    std::vector<uint64_t> media;      // four numbers for each
  };
  struct Entry {
    Digest128 digest, parent;
    std::vector<int32_t> tokens;  // kPageTokens, or fewer of an unfinished page
    std::vector<uint64_t> media;  // as in Content
    std::vector<int32_t> pages;   // per group; -1: not kept
    int64_t children = 0;         // entries whose parent this is
    // Digests of its first tokens, where a text ended when it had no more.
    std::vector<Digest128> beginnings = {};
  };
  using Lru = std::list<Entry>;  // most recently used first
  struct DigestHash {
    size_t operator()(const Digest128& d) const { return static_cast<size_t>(d.low); }
  };
  struct Match {
    Lru::iterator entry;
    int64_t tokens = 0;  // of the entry's first ones; 0: no match
  };

  // The digest of the page that follows `parent`.
  Digest128 Next(const Digest128& parent, const Content& content) const;
  // Of the first `tokens` tokens of a page of the sequence.
  static Content ContentOf(const Sequence& sequence, int64_t page, int64_t tokens = kPageTokens);
  Digest128 Root(const Request& request) const;
  // The entry behind `parent` that holds this and no more, or did when a text ended there.
  std::optional<Lru::iterator> Find(const Digest128& parent, const Content& content) const;
  // The most that is known behind `parent` of page number `page` of the sequence, and how much of
  // it may be copied: all, or all but the last token of the sequence.
  Match LastPage(const Sequence& sequence, const Digest128& parent, int64_t page) const;
  // Makes the known pages of the prompt's first `tokens` tokens the sequence's.
  void Give(std::span<const Lru::iterator> pages, int64_t tokens, Sequence* sequence);
  void TakeBack(Sequence* sequence);
  // Gives the sequence a page of its own with the match's tokens; false if no page is free.
  bool GiveCopy(const Match& match, Sequence* sequence);
  int64_t FirstNeeded(int g, int64_t tokens) const;
  // Remembers a page of the sequence with this content and returns its digest.
  Digest128 InsertPage(const Sequence& sequence, const Content& content, int64_t page);
  // What was remembered of this page of the sequence before it had more tokens, if the page is
  // still that one.
  std::optional<Lru::iterator> Beginning(const Sequence& sequence, const Digest128& parent,
                                         int64_t page) const;
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
