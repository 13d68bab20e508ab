#include "grammar/regex.h"

#include <optional>
#include <string>

#include "grammar/code_points.h"
#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

constexpr int kMaxGroups = 200;             // of groups
constexpr int kMaxNfaStates = 400000;       // copies that {n,m} makes
constexpr int64_t kMaxRegexCount = 100000;  // n and m

// A piece of the automaton: what leads from `begin` to `end`.
struct Piece {
  int begin, end;
};

// Parses and builds at once; {n,m} parses its operand again for each copy.
class RegexCompiler {
 public:
  explicit RegexCompiler(std::string_view pattern) : pattern_(pattern) {}

  Result<Dfa> Compile(RegexMatch match) {
    ASSIGN_OR_RETURN(const Piece all, Alternatives());
    if (pos_ < pattern_.size()) return Bad("')' without '('");
    const int accept = nfa_.AddState();
    int start = nfa_.AddState();
    nfa_.AddEmpty(start, all.begin);
    nfa_.AddEmpty(all.end, accept);
    if (match == RegexMatch::kSearch) {
      const int before = nfa_.AddState();
      nfa_.AddCodePoints(start, 0, kLastCodePoint, before);
      nfa_.AddCodePoints(before, 0, kLastCodePoint, before);
      nfa_.AddEmpty(before, all.begin);
      nfa_.AddCodePoints(accept, 0, kLastCodePoint, accept);
    }
    return nfa_.Determinize(start, accept);
  }

 private:
  bool Done() const { return pos_ >= pattern_.size(); }
  char Peek() const { return Done() ? '\0' : pattern_[pos_]; }
  bool Take(std::string_view text) {
    if (!pattern_.substr(pos_).starts_with(text)) return false;
    pos_ += text.size();
    return true;
  }
  std::string At() const {
    return " at offset " + std::to_string(pos_) + " of the regular expression";
  }
  Status Bad(const std::string& what) const { return InvalidArgument(what + At()); }
  Status Refuse(const std::string& what) const {
    return Unsupported(what + At() + ": no finite automaton can do it or galen does not yet");
  }
  Status CheckSize() const {
    if (nfa_.num_states() <= kMaxNfaStates) return OkStatus();
    return ResourceExhausted("the repetitions of the regular expression make more than " +
                             std::to_string(kMaxNfaStates) + " states; use smaller counts");
  }
  Piece Nothing() {
    const int state = nfa_.AddState();
    return {state, state};
  }
  Piece OfSet(const CodePointSet& set) {
    const Piece piece{nfa_.AddState(), nfa_.AddState()};
    for (const auto& [low, high] : set.Ranges())
      nfa_.AddCodePoints(piece.begin, low, high, piece.end);
    return piece;
  }
  Piece OfAssertion(Nfa::Assertion assertion) {
    const Piece piece{nfa_.AddState(), nfa_.AddState()};
    nfa_.AddEmpty(piece.begin, piece.end, assertion);
    return piece;
  }

  Result<Piece> Alternatives() {
    if (++depth_ > kMaxGroups)
      return Bad("more than " + std::to_string(kMaxGroups) + " groups deep");
    const Piece all{nfa_.AddState(), nfa_.AddState()};
    do {
      ASSIGN_OR_RETURN(const Piece one, Sequence());
      nfa_.AddEmpty(all.begin, one.begin);
      nfa_.AddEmpty(one.end, all.end);
    } while (Take("|"));
    --depth_;
    return all;
  }

  Result<Piece> Sequence() {
    Piece all = Nothing();
    while (!Done() && Peek() != '|' && Peek() != ')') {
      ASSIGN_OR_RETURN(const Piece one, Repetition());
      nfa_.AddEmpty(all.end, one.begin);
      all.end = one.end;
    }
    return all;
  }

  Result<std::optional<int64_t>> Number() {
    int64_t value = 0;
    const size_t begin = pos_;
    for (; Peek() >= '0' && Peek() <= '9'; ++pos_) {
      value = value * 10 + (Peek() - '0');
      if (value > kMaxRegexCount) return Bad("a count above " + std::to_string(kMaxRegexCount));
    }
    if (pos_ == begin) return std::optional<int64_t>();
    return std::optional<int64_t>(value);
  }

  // Reads a quantifier; max < 0: no limit. False if there is none.
  Result<bool> Quantifier(int64_t* min, int64_t* max) {
    if (Take("*")) {
      *min = 0, *max = -1;
    } else if (Take("+")) {
      *min = 1, *max = -1;
    } else if (Take("?")) {
      *min = 0, *max = 1;
    } else if (Peek() == '{') {
      ++pos_;
      ASSIGN_OR_RETURN(const std::optional<int64_t> low, Number());
      if (!low) return Bad("'{' without a count (write \\{ for the character)");
      *min = *max = *low;
      if (Take(",")) {
        ASSIGN_OR_RETURN(const std::optional<int64_t> high, Number());
        *max = high.value_or(-1);
      }
      if (!Take("}")) return Bad("'{' without '}'");
      if (*max >= 0 && *max < *min) return Bad("counts out of order");
    } else {
      return false;
    }
    Take("?");  // lazy: the same texts
    return true;
  }

  Result<Piece> Repetition() {
    const size_t begin = pos_;
    ASSIGN_OR_RETURN(Piece one, Atom());
    const size_t end = pos_;
    int64_t min = 1, max = 1;
    ASSIGN_OR_RETURN(const bool repeated, Quantifier(&min, &max));
    if (!repeated) return one;
    const size_t behind = pos_;
    if (std::string_view("*+?{").find(Peek()) != std::string_view::npos && !Done())
      return Bad("nothing to repeat");
    const Piece all{nfa_.AddState(), nfa_.AddState()};
    int last = all.begin;
    const int64_t copies = std::max<int64_t>(max < 0 ? min : max, 1);
    for (int64_t i = 0; i < copies; ++i) {
      RETURN_IF_ERROR(CheckSize());
      if (i > 0) {
        pos_ = begin;
        ASSIGN_OR_RETURN(one, Atom());
        GALEN_CHECK(pos_ == end);
      }
      if (i >= min) nfa_.AddEmpty(last, all.end);
      nfa_.AddEmpty(last, one.begin);
      last = one.end;
    }
    if (max < 0) nfa_.AddEmpty(last, one.begin);
    if (max != 0) nfa_.AddEmpty(last, all.end);
    pos_ = behind;
    return all;
  }

  Result<Piece> Atom() {
    if (Take("(")) {
      if (Take("?")) {
        if (Take("=") || Take("!")) return Refuse("a look-ahead");
        if (Take("<=") || Take("<!")) return Refuse("a look-behind");
        if (Take("<")) {
          const size_t close = pattern_.find('>', pos_);
          if (close == pattern_.npos) return Bad("a group's name without '>'");
          pos_ = close + 1;
        } else if (!Take(":")) {
          return Refuse("a group with flags");
        }
      }
      ASSIGN_OR_RETURN(const Piece inside, Alternatives());
      if (!Take(")")) return Bad("'(' without ')'");
      return inside;
    }
    if (Take("^")) return OfAssertion(Nfa::Assertion::kBegin);
    if (Take("$")) return OfAssertion(Nfa::Assertion::kEnd);
    if (Take(".")) return OfSet(NotLineEnds());
    if (Take("[")) return Class();
    if (Take("\\")) {
      if (Peek() == 'b' || Peek() == 'B') return Refuse("a word boundary");
      if ((Peek() >= '1' && Peek() <= '9') || Peek() == 'k') return Refuse("a back reference");
      ASSIGN_OR_RETURN(const CodePointSet set, Escape(nullptr));
      return OfSet(set);
    }
    if (std::string_view("*+?{}]").find(Peek()) != std::string_view::npos)
      return Bad(std::string("'") + Peek() + "' with nothing in front of it");
    const uint32_t c = Character();
    return OfSet({{c, c}});
  }

  uint32_t Character() {
    const char32_t c = text::CharAt(pattern_, pos_);
    pos_ += static_cast<size_t>(text::Utf8Length(pattern_[pos_]));
    return c;
  }

  Result<uint32_t> Hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++pos_) {
      const char c = Peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Bad("a hexadecimal digit is missing");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  // Behind a backslash. *single becomes the character where it is one.
  Result<CodePointSet> Escape(std::optional<uint32_t>* single) {
    if (Done()) return Bad("a backslash at the end");
    const auto one = [&](uint32_t c) {
      if (single != nullptr) *single = c;
      return CodePointSet{{c, c}};
    };
    const size_t at = pos_;
    const uint32_t c = Character();
    switch (c) {
      case 'd':
        return Digits();
      case 'D':
        return Digits().Complement();
      case 'w':
        return WordCharacters();
      case 'W':
        return WordCharacters().Complement();
      case 's':
        return WhitespaceCharacters();
      case 'S':
        return WhitespaceCharacters().Complement();
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'v':
        return one('\v');
      case 'f':
        return one('\f');
      case 'p':
      case 'P': {
        const size_t close = pattern_.find('}', pos_);
        if (!Take("{") || close == pattern_.npos) return Bad("\\p without {name}");
        ASSIGN_OR_RETURN(const CodePointSet set,
                         UnicodeProperty(pattern_.substr(pos_, close - pos_)));
        pos_ = close + 1;
        return c == 'p' ? set : set.Complement();
      }
      case 'c': {
        const char letter = Peek();
        if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z')))
          return Bad("\\c without a letter");
        ++pos_;
        return one(static_cast<uint32_t>(letter) & 31);
      }
      case '0':
        if (Peek() >= '0' && Peek() <= '9') return Refuse("an octal escape");
        return one(0);
      case 'x': {
        ASSIGN_OR_RETURN(const uint32_t value, Hex(2));
        return one(value);
      }
      case 'u': {
        if (Take("{")) {
          uint32_t value = 0;
          int digits = 0;
          while (!Take("}")) {
            ASSIGN_OR_RETURN(const uint32_t digit, Hex(1));
            value = value * 16 + digit;
            if (++digits > 8 || value > kLastCodePoint) return Bad("no such code point");
          }
          return one(value);
        }
        ASSIGN_OR_RETURN(uint32_t value, Hex(4));
        if (value >= 0xd800 && value < 0xdc00 && Take("\\u")) {
          ASSIGN_OR_RETURN(const uint32_t low, Hex(4));
          if (low < 0xdc00 || low > 0xdfff) return Bad("half of a surrogate pair");
          value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
        }
        return one(value);
      }
      default:
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9')) {
          pos_ = at;
          return Bad("an escape that ECMA-262 does not have");
        }
        return one(c);
    }
  }

  Result<CodePointSet> ClassMember(std::optional<uint32_t>* single) {
    if (Done()) return Bad("'[' without ']'");
    if (Take("\\")) {
      if (Take("b")) {
        *single = '\b';
        return CodePointSet{{'\b', '\b'}};
      }
      if (Take("-")) {
        *single = '-';
        return CodePointSet{{'-', '-'}};
      }
      return Escape(single);
    }
    *single = Character();
    return CodePointSet{{**single, **single}};
  }

  Result<Piece> Class() {
    const bool negated = Take("^");
    CodePointSet set;
    while (!Take("]")) {
      std::optional<uint32_t> low, high;
      ASSIGN_OR_RETURN(const CodePointSet member, ClassMember(&low));
      if (low && Peek() == '-' && pos_ + 1 < pattern_.size() && pattern_[pos_ + 1] != ']') {
        ++pos_;
        ASSIGN_OR_RETURN(const CodePointSet upper, ClassMember(&high));
        if (!high) return Bad("a range that ends in a class");
        if (*high < *low) return Bad("a range out of order");
        set.Add(*low, *high);
      } else {
        set.Add(member);
      }
    }
    return OfSet(negated ? set.Complement() : set);
  }

  const std::string_view pattern_;
  size_t pos_ = 0;
  int depth_ = 0;
  Nfa nfa_;
};

}  // namespace

Result<Dfa> CompileRegex(std::string_view pattern, RegexMatch match) {
  if (text::ValidUtf8Prefix(pattern) != pattern.size())
    return InvalidArgument("the regular expression is no UTF-8");
  return RegexCompiler(pattern).Compile(match);
}

}  // namespace galen::grammar
