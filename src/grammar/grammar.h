// A language as a network of nodes: what JSON Schema, regular expressions and GBNF become. Rules
// call each other, so that it may recurse; a frame of a rule has one counter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/dfa.h"

namespace galen::grammar {

inline constexpr int kMaxNodes = 2000000;

struct Node {
  enum class Kind : uint8_t {
    kByte,    // one byte in [low, high], then next
    kSplit,   // any of splits[index, index + count)
    kCall,    // the rule at `body`, then next
    kReturn,  // the end of a rule
    kLoop,    // `body` min to max times (max < 0: no limit), then next
    kDfa,     // a text of dfas[index], then next
    kString,  // the rest of a JSON string whose value is in strings[index], with its closing quote
  };
  Kind kind = Kind::kReturn;
  uint8_t low = 0, high = 0;
  bool productive = false;  // some text leads from here to the end of the rule
  int32_t next = -1;
  int32_t body = -1;
  int32_t index = -1;
  int32_t min = 0, max = -1;
};

// StringLanguage::free where it does not end.
inline constexpr uint8_t kAllFree = 128;

// The values of a JSON string: texts of a Dfa with min to max code points (max < 0: no limit).
struct StringLanguage {
  int32_t dfa = 0;
  int32_t min = 0, max = -1;
  bool any = false;                   // the Dfa is AnyText()
  std::vector<uint8_t> open;          // by state: every text goes on from here
  std::vector<uint8_t> free;          // every text of PlainText() of so many characters does
  std::vector<int32_t> min_distance;  // code points to the nearest acceptance
  std::vector<int32_t> max_distance;  // to the farthest; -1: no limit
  int32_t most_distance = 0;          // the largest of min_distance
  bool endless = false;               // no max_distance has a limit
};

class Grammar {
 public:
  int AddByte(uint8_t low, uint8_t high, int next);
  // The bytes of a text, one node each.
  int AddText(std::string_view text, int next);
  // One of the texts, which are sorted and different, as a tree.
  int AddTexts(std::span<const std::string> sorted, int next);
  int AddSplit(std::vector<int32_t> targets);
  // A split whose targets follow later.
  int AddOpenSplit();
  void SetSplit(int node, std::vector<int32_t> targets);
  int AddCall(int body, int next);
  int AddReturn();
  int AddLoop(int body, int64_t min, int64_t max, int next);
  int AddDfa(int dfa, int next);
  int AddString(int language, int next);
  int AddDfaTable(Dfa dfa);
  // Takes over another, finished grammar as a rule; returns its first node, for AddCall.
  int Include(const Grammar& other);
  // ResourceExhausted where lengths and pattern together take too many states.
  Result<int> AddStringLanguage(const Dfa& dfa, int64_t min, int64_t max);

  // Finds out which nodes lead to an end, and refuses rules that call themselves before they have
  // read anything. Call once, when all nodes are there.
  Status Finish(int start);
  // True if a text leads from the node to the end of its rule. `unknown`: nodes whose targets
  // are not set yet count as productive.
  bool Productive(int node, bool unknown) const;

  int start() const { return start_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<std::vector<int32_t>>& splits() const { return splits_; }
  const std::vector<Dfa>& dfas() const { return dfas_; }
  const std::vector<StringLanguage>& strings() const { return strings_; }
  // InvalidArgument once too many nodes were added.
  Status CheckSize() const;

 private:
  int Add(Node node);
  int AddTexts(std::span<const std::string> sorted, size_t from, int next);
  std::vector<uint8_t> FindProductive(const std::vector<int>& among, bool unknown) const;
  Status RefuseLeftRecursion() const;

  std::vector<Node> nodes_;
  std::vector<std::vector<int32_t>> splits_;
  std::vector<Dfa> dfas_;
  std::vector<StringLanguage> strings_;
  std::vector<uint8_t> open_splits_;
  int start_ = -1;
};

}  // namespace galen::grammar
