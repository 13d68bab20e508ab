// Deterministic automata over bytes: what regular expressions, numbers and formats become. All
// functions return automata that are minimal and trimmed: every state can still reach acceptance,
// so a prefix that is alive can always be completed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen::grammar {

// States that a deterministic automaton may have, while it is built, too.
inline constexpr int kMaxDfaStates = 60000;

struct Dfa {
  std::array<uint8_t, 256> byte_class{};
  int num_classes = 1;
  std::vector<int32_t> next;       // [state * num_classes + class]; -1: dead
  std::vector<uint8_t> accepting;  // by state; state 0 is the first

  int num_states() const { return static_cast<int>(accepting.size()); }
  int Next(int state, uint8_t byte) const { return next[state * num_classes + byte_class[byte]]; }
  // True if no text is accepted. Only the first state is left then.
  bool empty() const;
  bool Accepts(std::string_view text) const;
};

// A non-deterministic automaton that is being built. States are numbers; assertions are edges that
// only the beginning or the end of a text lets pass.
class Nfa {
 public:
  enum class Assertion : uint8_t { kNone, kBegin, kEnd };
  int AddState();
  void AddEmpty(int from, int to, Assertion assertion = Assertion::kNone);
  void AddBytes(int from, uint8_t low, uint8_t high, int to);
  // The UTF-8 of one code point in [low, high]; surrogates are left out.
  void AddCodePoints(int from, uint32_t low, uint32_t high, int to);
  int num_states() const { return static_cast<int>(states_.size()); }
  // ResourceExhausted beyond kMaxDfaStates.
  Result<Dfa> Determinize(int start, int accept) const;

 private:
  struct Edge {
    uint8_t low, high;
    int to;
  };
  struct Empty {
    int to;
    Assertion assertion;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<Empty> empties;
  };
  void Close(std::vector<int>* set, bool at_begin, bool at_end, std::vector<uint8_t>* seen) const;
  std::vector<State> states_;
};

enum class Combination : uint8_t { kAnd, kOr, kMinus };
Result<Dfa> Combine(const Dfa& a, const Dfa& b, Combination how);

// Builds a Dfa by hand: rows of 256 targets.
class DfaBuilder {
 public:
  int AddState(bool accepting);
  void Set(int from, uint8_t low, uint8_t high, int to);
  void set_accepting(int state, bool accepting) { accepting_[state] = accepting; }
  Dfa Build() const;  // state 0 is the first

 private:
  std::vector<std::array<int32_t, 256>> rows_;
  std::vector<uint8_t> accepting_;
};

// All texts of well-formed UTF-8.
const Dfa& AnyText();
// Of those the texts that stand for themselves inside a JSON string, without U+2028 and U+2029,
// which
// `.` of a regular expression does not match.
const Dfa& PlainText();
Dfa NoText();
// Exactly these texts.
Result<Dfa> FiniteSet(const std::vector<std::string>& texts);
// Those of `dfa` (of UTF-8) with min to max code points; max < 0: no limit.
Result<Dfa> WithLength(const Dfa& dfa, int64_t min, int64_t max);

}  // namespace galen::grammar
