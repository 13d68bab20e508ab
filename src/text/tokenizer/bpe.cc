// Byte pair encoding. Short words are merged by scanning for the best pair, long ones with a heap,
// so that a megabyte of one letter takes n log n steps.
#include <algorithm>
#include <bit>

#include "text/tokenizer/model.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/unicode.h"
#include "text/tokenizer/word_cache.h"

namespace galen::text {
namespace {

constexpr int32_t kNone = Vocab::kNone;
constexpr size_t kScanLimit = 40;  // symbols; measured: the heap wins above

struct Symbol {
  uint32_t begin, size;  // bytes of the word
  int32_t id;
  bool fixed;  // takes part in no merge by text: a byte token, the unknown token, a user-defined
               // token
};

// A merge that is possible now. Lower is better.
struct Candidate {
  uint64_t key = UINT64_MAX;
  int32_t id = kNone;  // the merged token
  bool operator<(const Candidate& o) const { return key != o.key ? key < o.key : id < o.id; }
};

class ListMerger {
 public:
  ListMerger(const Vocab&, MergeList merges) {
    slots_.resize(std::bit_ceil(std::max<size_t>(16, merges.entries.size() * 2)));
    for (size_t rank = 0; rank < merges.entries.size(); ++rank) {
      const auto& e = merges.entries[rank];
      Slot& slot = slots_[Place(Key(e.left, e.right))];
      slot = {Key(e.left, e.right), static_cast<uint32_t>(rank), e.merged};
    }
  }

  Candidate Find(std::string_view, const Symbol& a, const Symbol& b) const {
    const Slot& slot = slots_[Place(Key(a.id, b.id))];
    if (slot.id == kNone) return {};
    return {slot.rank, slot.id};
  }
  const Trie* user_defined() const { return nullptr; }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t rank = 0;
    int32_t id = kNone;
  };
  static uint64_t Key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t Place(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    // The seed of HashBytes keeps crafted pairs apart as well.
    uint64_t h = (key ^ seed_) * 0x9E3779B97F4A7C15ull;
    h ^= h >> 32;
    for (size_t i = h & mask;; i = (i + 1) & mask) {
      if (slots_[i].id == kNone || slots_[i].key == key) return i;
    }
  }
  std::vector<Slot> slots_;
  uint64_t seed_ = HashBytes("pairs");
};

class ScoreMerger {
 public:
  ScoreMerger(const Vocab& vocab, MergeScores merges)
      : vocab_(vocab), user_defined_(std::move(merges.user_defined)) {
    order_.assign(vocab.size(), kNever);
    for (size_t id = 0; id < vocab.size() && id < merges.scores.size(); ++id) {
      if (id >= merges.may_merge.size() || !merges.may_merge[id]) continue;
      const float score = merges.scores[id] == 0 ? 0.0f : merges.scores[id];  // no negative zero
      const auto bits = std::bit_cast<uint32_t>(score);
      const uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;
      order_[id] = std::min(~ascending, kNever - 1);
    }
  }

  Candidate Find(std::string_view word, const Symbol& a, const Symbol& b) const {
    if (a.fixed || b.fixed || a.begin + a.size != b.begin) return {};
    const int32_t id = vocab_.Find(word.substr(a.begin, a.size + b.size));
    if (id == kNone || order_[id] == kNever) return {};
    const auto shorter = [&](const Symbol& s) -> uint64_t {
      const size_t chars = s.size <= 1 ? s.size : CountChars(word.substr(s.begin, s.size));
      return 0xFFFF - std::min<size_t>(chars, 0xFFFF);
    };
    return {static_cast<uint64_t>(order_[id]) << 32 | shorter(a) << 16 | shorter(b), id};
  }
  const Trie* user_defined() const { return user_defined_.empty() ? nullptr : &user_defined_; }

 private:
  static constexpr uint32_t kNever = UINT32_MAX;
  const Vocab& vocab_;
  Trie user_defined_;
  std::vector<uint32_t> order_;  // by id: the lower the score, the higher
};

template <typename Merger>
class Bpe : public Model {
 public:
  template <typename Merges>
  Bpe(const Vocab& vocab, Merges merges, ModelOptions options)
      : vocab_(vocab), options_(std::move(options)), merger_(vocab, std::move(merges)) {
    number_ = WordCache::NewOwner();
    for (int byte = 0; byte < 256; ++byte) {
      std::string mapped;
      AppendUtf8(ByteToChar(static_cast<unsigned char>(byte)), &mapped);
      alphabet_[byte] = vocab.Find(mapped);
      ascii_[byte] = byte < 128 ? vocab.Find(std::string(1, static_cast<char>(byte))) : kNone;
      last_[byte] = vocab.Find(mapped + options_.end_of_word_suffix);
    }
    if (options_.byte_fallback) bytes_ = FindByteTokens(vocab);
    FindSafeCuts();
  }

  Status Encode(std::string_view piece, bool raw_bytes, bool allow_control,
                std::vector<int32_t>* ids) const override {
    if (options_.ignore_merges) {
      int32_t whole;
      if (raw_bytes) {
        std::string mapped;
        for (const char c : piece) AppendUtf8(ByteToChar(static_cast<unsigned char>(c)), &mapped);
        whole = vocab_.Find(mapped);
      } else {
        whole = vocab_.Find(piece);
      }
      if (whole != kNone && (allow_control || !IsControl(whole))) {
        ids->push_back(whole);
        return OkStatus();
      }
    }
    if (raw_bytes || !may_cut_) {
      EncodeWord(piece, raw_bytes, ids);
      return OkStatus();
    }
    size_t begin = 0;
    for (size_t at = 1; (at = piece.find(kMetaSpace, at)) != std::string_view::npos;
         at += kMetaSpace.size()) {
      if (unsafe_before_space_[static_cast<unsigned char>(piece[at - 1])]) continue;
      EncodeWord(piece.substr(begin, at - begin), false, ids);
      begin = at;
    }
    EncodeWord(piece.substr(begin), false, ids);
    return OkStatus();
  }

 private:
  bool IsControl(int32_t id) const {
    return static_cast<size_t>(id) < options_.control.size() && options_.control[id];
  }

  // A text may be cut in front of a "▁" when no token holds a "▁" behind the byte before the cut:
  // nothing ever merges across. That turns one long piece (Gemma and Llama have no pre-tokenizer)
  // into words.
  void FindSafeCuts() {
    may_cut_ = vocab_.Find(kMetaSpace) != kNone && merger_.user_defined() == nullptr &&
               options_.end_of_word_suffix.empty();
    if (!may_cut_) return;
    for (size_t id = 0; id < vocab_.size(); ++id) {
      const std::string_view token = vocab_.Text(static_cast<int32_t>(id));
      for (size_t at = 1; at + 2 < token.size(); ++at) {
        if (token[at] == kMetaSpace[0] && token.compare(at, 3, kMetaSpace) == 0) {
          unsafe_before_space_.set(static_cast<unsigned char>(token[at - 1]));
        }
      }
    }
  }

  void EncodeWord(std::string_view word, bool raw_bytes, std::vector<int32_t>* ids) const {
    if (word.size() > WordCache::kMaxBytes) {
      Merge(word, raw_bytes, ids);
      return;
    }
    WordCache& cache = WordCache::OfThread();
    const uint64_t owner = number_ << 1 | (raw_bytes ? 1 : 0);
    const uint64_t hash = HashBytes(word);
    if (cache.Find(owner, hash, word, ids)) return;
    const size_t first = ids->size();
    Merge(word, raw_bytes, ids);
    cache.Put(owner, hash, word, std::span(*ids).subspan(first));
  }

  void Merge(std::string_view word, bool raw_bytes, std::vector<int32_t>* ids) const {
    thread_local std::vector<Symbol> symbols;
    symbols.clear();
    Start(word, raw_bytes, &symbols);
    if (symbols.size() <= kScanLimit) {
      MergeByScan(word, &symbols);
      for (const Symbol& symbol : symbols) ids->push_back(symbol.id);
    } else {
      MergeByHeap(word, symbols, ids);
      if (symbols.capacity() > (1u << 20)) std::vector<Symbol>().swap(symbols);
    }
  }

  // The symbols before any merge: characters, bytes, or the unknown token.
  void Start(std::string_view word, bool raw_bytes, std::vector<Symbol>* symbols) const {
    Symbol unknown{0, 0, kNone, true};
    const auto flush = [&] {
      if (unknown.id != kNone) symbols->push_back(unknown);
      unknown.id = kNone;
    };
    for (uint32_t i = 0; i < word.size();) {
      auto size = static_cast<uint32_t>(raw_bytes ? 1 : Utf8Length(word[i]));
      if (merger_.user_defined() != nullptr) {
        if (const auto [length, value] = merger_.user_defined()->Longest(word.substr(i));
            length > 0) {
          flush();
          symbols->push_back({i, static_cast<uint32_t>(length), value, true});
          i += static_cast<uint32_t>(length);
          continue;
        }
      }
      const int32_t id = FindFirst(word, i, size, raw_bytes);
      if (id != kNone) {
        flush();
        symbols->push_back({i, size, id, false});
      } else if (!AddBytes(word.substr(i, size), i, raw_bytes, symbols) && options_.unk) {
        if (unknown.id != kNone && options_.fuse_unk) {
          unknown.size += size;
        } else {
          flush();
          unknown = {i, size, *options_.unk, true};
        }
      }
      i += size;
    }
    flush();
  }

  // The token of the character (or byte) at word[i].
  int32_t FindFirst(std::string_view word, uint32_t i, uint32_t size, bool raw_bytes) const {
    const auto byte = static_cast<unsigned char>(word[i]);
    if (i + size == word.size() && !options_.end_of_word_suffix.empty()) {
      return raw_bytes ? last_[byte]
                       : vocab_.Find(std::string(word.substr(i)) + options_.end_of_word_suffix);
    }
    return raw_bytes   ? alphabet_[byte]
           : size == 1 ? ascii_[byte]
                       : vocab_.Find(word.substr(i, size));
  }

  bool AddBytes(std::string_view text, uint32_t begin, bool raw_bytes,
                std::vector<Symbol>* symbols) const {
    if (bytes_.empty() || raw_bytes) return false;
    for (const char c : text) {
      if (bytes_[static_cast<unsigned char>(c)] == kNone) return false;
    }
    for (const char c : text)
      symbols->push_back({begin++, 1, bytes_[static_cast<unsigned char>(c)], true});
    return true;
  }

  void MergeByScan(std::string_view word, std::vector<Symbol>* symbols) const {
    std::vector<Symbol>& s = *symbols;
    Candidate pairs[kScanLimit];  // pairs[i]: s[i] with s[i + 1]
    size_t count = s.size();
    for (size_t i = 0; i + 1 < count; ++i) pairs[i] = merger_.Find(word, s[i], s[i + 1]);
    while (count > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < count; ++i) {
        if (pairs[i] < pairs[best]) best = i;
      }
      if (pairs[best].id == kNone) break;
      s[best].size += s[best + 1].size;
      s[best].id = pairs[best].id;
      s[best].fixed = false;
      for (size_t i = best + 1; i + 1 < count; ++i) {
        s[i] = s[i + 1];
        pairs[i] = pairs[i + 1 < count - 1 ? i + 1 : i];
      }
      --count;
      if (best > 0) pairs[best - 1] = merger_.Find(word, s[best - 1], s[best]);
      if (best + 1 < count) pairs[best] = merger_.Find(word, s[best], s[best + 1]);
    }
    s.resize(count);
  }

  void MergeByHeap(std::string_view word, std::vector<Symbol>& s, std::vector<int32_t>* ids) const {
    struct Item {
      Candidate candidate;
      uint32_t left, size;                   // the left symbol and the bytes of both
      bool operator<(const Item& o) const {  // std heaps put the greatest first
        if (candidate < o.candidate) return false;
        if (o.candidate < candidate) return true;
        return left > o.left;
      }
    };
    constexpr uint32_t kEnd = UINT32_MAX;
    const auto count = static_cast<uint32_t>(s.size());
    std::vector<uint32_t> next(count), previous(count);
    std::vector<Item> heap;
    const auto consider = [&](uint32_t left) {
      const Symbol& a = s[left];
      const Symbol& b = s[next[left]];
      const Candidate c = merger_.Find(word, a, b);
      if (c.id == kNone) return false;
      heap.push_back({c, left, a.size + b.size});
      return true;
    };
    for (uint32_t i = 0; i < count; ++i) {
      next[i] = i + 1 < count ? i + 1 : kEnd;
      previous[i] = i > 0 ? i - 1 : kEnd;
    }
    for (uint32_t i = 0; i + 1 < count; ++i) consider(i);
    std::make_heap(heap.begin(), heap.end());
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Item item = heap.back();
      heap.pop_back();
      // Symbols only grow, so equal sizes mean that neither part changed since.
      const uint32_t left = item.left, right = next[left];
      if (s[left].size == 0 || right == kEnd || s[left].size + s[right].size != item.size) continue;
      s[left] = {s[left].begin, item.size, item.candidate.id, false};
      s[right].size = 0;
      next[left] = next[right];
      if (next[right] != kEnd) previous[next[right]] = left;
      if (previous[left] != kEnd && consider(previous[left]))
        std::push_heap(heap.begin(), heap.end());
      if (next[left] != kEnd && consider(left)) std::push_heap(heap.begin(), heap.end());
    }
    for (uint32_t i = 0; i != kEnd; i = next[i]) ids->push_back(s[i].id);
  }

  const Vocab& vocab_;
  const ModelOptions options_;
  const Merger merger_;
  uint64_t number_;
  int32_t alphabet_[256], ascii_[256];
  int32_t last_[256];  // alphabet_ with the end-of-word suffix
  std::vector<int32_t> bytes_;
  bool may_cut_ = false;
  std::bitset<256> unsafe_before_space_;
};

}  // namespace

std::unique_ptr<Model> MakeBpe(const Vocab& vocab, MergeList merges, ModelOptions options) {
  return std::make_unique<Bpe<ListMerger>>(vocab, std::move(merges), std::move(options));
}

std::unique_ptr<Model> MakeBpe(const Vocab& vocab, MergeScores merges, ModelOptions options) {
  return std::make_unique<Bpe<ScoreMerger>>(vocab, std::move(merges), std::move(options));
}

int ParseByteToken(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  const int high = digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::vector<int32_t> FindByteTokens(const Vocab& vocab) {
  std::vector<int32_t> ids(256);
  for (int byte = 0; byte < 256; ++byte) {
    const char digits[] = "0123456789ABCDEF";
    const char token[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    ids[byte] = vocab.Find({token, 6});
  }
  return ids;
}

}  // namespace galen::text
