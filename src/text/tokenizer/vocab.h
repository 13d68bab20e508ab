// The tokens of a vocabulary: id -> spelling and spelling -> id. Holds views only, since the
// largest vocabularies (262,144 tokens) must be ready a few milliseconds after their file is
// mapped.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace galen::text {

// A fast 64-bit hash of bytes, seeded once per process at random so that a crafted file cannot aim
// at collisions.
uint64_t HashBytes(std::string_view bytes);

class Vocab {
 public:
  static constexpr int32_t kNone = -1;

  // Keeps what views given to Set point into alive.
  void KeepAlive(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }
  // A copy of text that lives as long as the vocabulary.
  std::string_view Own(std::string text) { return owned_.emplace_back(std::move(text)); }

  void Resize(size_t size) { tokens_.resize(size); }
  // Sets a spelling; grows the vocabulary as needed. The view must stay valid: see KeepAlive and
  // Own.
  void Set(int32_t id, std::string_view text);
  // Makes Find work for all tokens set so far. Where two ids share one spelling, the lower one is
  // found.
  void Index();
  // Makes one more spelling findable after Index; replaces what it led to.
  void AddToIndex(int32_t id);

  int32_t Find(std::string_view text) const;
  bool Has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < tokens_.size(); }
  std::string_view Text(int32_t id) const { return Has(id) ? tokens_[id] : std::string_view(); }
  size_t size() const { return tokens_.size(); }

 private:
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash
    int32_t id = kNone;
  };
  void Insert(int32_t id, bool replace);
  void Rehash(size_t slots);

  std::vector<std::string_view> tokens_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  size_t used_ = 0;
  std::deque<std::string> owned_;
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace galen::text
