// The ids of words met before, since texts repeat their words: a direct-mapped table of one cache
// line per word.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace galen::text {

// One per thread, shared by all tokenizers; `owner` is the tokenizer's number.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 30, kMaxIds = 5;

  // Another for each tokenizer of the process, of whatever kind.
  static uint64_t NewOwner() {
    static std::atomic<uint64_t> count{0};
    return ++count;
  }

  static WordCache& OfThread() {
    thread_local WordCache cache;
    return cache;
  }

  // Appends the ids and returns true if the word is known.
  bool Find(uint64_t owner, uint64_t hash, std::string_view word, std::vector<int32_t>* ids) const {
    const Entry& e = entries_[hash % kEntries];
    if (e.owner != owner || e.length != word.size() ||
        std::memcmp(e.text, word.data(), word.size()) != 0)
      return false;
    ids->insert(ids->end(), e.ids, e.ids + e.count);
    return true;
  }

  void Put(uint64_t owner, uint64_t hash, std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > kMaxBytes || ids.size() > kMaxIds) return;
    Entry& e = entries_[hash % kEntries];
    e.owner = owner;
    e.length = static_cast<uint8_t>(word.size());
    e.count = static_cast<uint8_t>(ids.size());
    std::memcpy(e.text, word.data(), word.size());
    std::copy(ids.begin(), ids.end(), e.ids);
  }

 private:
  static constexpr size_t kEntries = 4096;
  struct Entry {
    uint64_t owner = 0;  // 0: empty
    int32_t ids[kMaxIds];
    uint8_t length, count;
    char text[kMaxBytes];
  };
  static_assert(sizeof(Entry) == 64);
  WordCache() : entries_(kEntries) {}
  std::vector<Entry> entries_;
};

}  // namespace galen::text
