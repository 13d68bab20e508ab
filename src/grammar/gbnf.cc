#include "grammar/gbnf.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/code_points.h"
#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

constexpr int kMaxDepth = 200;  // of groups
constexpr int64_t kMaxRepeat = 1000000;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// An expression is built backwards from the node that follows it, so it is parsed into a small
// tree first.
struct Expr {
  enum class Kind : uint8_t { kSet, kText, kRule, kSequence, kChoice, kRepeat } kind;
  CodePointSet set;
  std::string text;  // or the rule's name
  std::vector<Expr> parts;
  int64_t min = 1, max = 1;
  size_t line = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Status Parse(std::map<std::string, Expr, std::less<>>* rules) {
    Space(true);
    while (!Done()) {
      const std::string name = Name();
      if (name.empty()) return Bad("a rule begins with its name");
      Space(false);
      if (!Take("::=")) return Bad("'::=' must follow the name of a rule");
      Space(true);
      ASSIGN_OR_RETURN(Expr body, Choice(false));
      if (!Done() && Peek() != '\n' && Peek() != '\r')
        return Bad(std::string("'") + Peek() + "' is out of place");
      Space(true);
      if (!rules->emplace(name, std::move(body)).second)
        return Bad("the rule " + name + " is there twice");
    }
    return OkStatus();
  }

 private:
  bool Done() const { return pos_ >= text_.size(); }
  char Peek() const { return Done() ? '\0' : text_[pos_]; }
  bool Take(std::string_view s) {
    if (!text_.substr(pos_).starts_with(s)) return false;
    pos_ += s.size();
    return true;
  }
  size_t Line() const {
    size_t line = 1;
    for (size_t i = 0; i < pos_ && i < text_.size(); ++i) line += text_[i] == '\n';
    return line;
  }
  Status Bad(const std::string& what) const {
    return InvalidArgument("grammar, line " + std::to_string(Line()) + ": " + what);
  }

  // Spaces and comments; line ends only where a rule may go on behind them.
  void Space(bool lines) {
    while (!Done()) {
      const char c = Peek();
      if (c == '#') {
        while (!Done() && Peek() != '\n') ++pos_;
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++pos_;
      } else {
        break;
      }
    }
  }

  std::string Name() {
    std::string name;
    while (!Done() && IsNameChar(Peek())) name += text_[pos_++];
    return name;
  }

  Result<Expr> Choice(bool nested) {
    if (++depth_ > kMaxDepth) return Bad("groups are nested too deep");
    Expr choice{Expr::Kind::kChoice, {}, {}, {}, 1, 1, Line()};
    do {
      Space(true);
      ASSIGN_OR_RETURN(Expr sequence, Sequence(nested));
      choice.parts.push_back(std::move(sequence));
    } while (Take("|"));
    --depth_;
    return choice;
  }

  Result<Expr> Sequence(bool nested) {
    Expr sequence{Expr::Kind::kSequence, {}, {}, {}, 1, 1, Line()};
    while (true) {
      if (Done() || Peek() == '|' || Peek() == ')') break;
      if (Peek() == '\n' || Peek() == '\r') {
        if (!nested) break;
        Space(true);
        continue;
      }
      ASSIGN_OR_RETURN(Expr one, Primary());
      RETURN_IF_ERROR(Quantify(&one));
      sequence.parts.push_back(std::move(one));
      Space(nested);
    }
    return sequence;
  }

  Status Quantify(Expr* one) {
    while (true) {
      int64_t min = 0, max = -1;
      if (Take("*")) {
      } else if (Take("+")) {
        min = 1;
      } else if (Take("?")) {
        max = 1;
      } else if (Take("{")) {
        ASSIGN_OR_RETURN(min, Number());
        max = min;
        Space(false);
        if (Take(",")) {
          Space(false);
          max = -1;
          if (Peek() != '}') {
            ASSIGN_OR_RETURN(max, Number());
          }
        }
        Space(false);
        if (!Take("}")) return Bad("'{' without '}'");
        if (max >= 0 && max < min) return Bad("counts out of order");
      } else {
        return OkStatus();
      }
      Expr repeat{Expr::Kind::kRepeat, {}, {}, {}, min, max, Line()};
      repeat.parts.push_back(std::move(*one));
      *one = std::move(repeat);
    }
  }

  Result<int64_t> Number() {
    Space(false);
    int64_t value = 0;
    const size_t begin = pos_;
    for (; Peek() >= '0' && Peek() <= '9'; ++pos_) {
      value = value * 10 + (Peek() - '0');
      if (value > kMaxRepeat) return Bad("a count above " + std::to_string(kMaxRepeat));
    }
    if (pos_ == begin) return Bad("a count is missing");
    return value;
  }

  Result<uint32_t> Character() {
    if (Done()) return Bad("the grammar ends too early");
    if (Peek() != '\\') {
      const char32_t c = text::CharAt(text_, pos_);
      pos_ += static_cast<size_t>(text::Utf8Length(text_[pos_]));
      return static_cast<uint32_t>(c);
    }
    ++pos_;
    const char c = Peek();
    ++pos_;
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
      case 'u':
      case 'U': {
        uint32_t value = 0;
        for (int i = 0; i < (c == 'x' ? 2 : c == 'u' ? 4 : 8); ++i, ++pos_) {
          const char h = Peek();
          const int digit = h >= '0' && h <= '9'   ? h - '0'
                            : h >= 'a' && h <= 'f' ? h - 'a' + 10
                            : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                                   : -1;
          if (digit < 0) return Bad("a hexadecimal digit is missing");
          value = value * 16 + static_cast<uint32_t>(digit);
        }
        if (value > kLastCodePoint || (value >= 0xd800 && value <= 0xdfff))
          return Bad("no such character");
        return value;
      }
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<uint32_t>(c);
      default:
        return Bad("an escape that GBNF does not have");
    }
  }

  Result<Expr> Primary() {
    Expr expr{Expr::Kind::kText, {}, {}, {}, 1, 1, Line()};
    if (Take("\"")) {
      while (!Take("\"")) {
        if (Peek() == '\n') return Bad("a literal without its closing quote");
        ASSIGN_OR_RETURN(const uint32_t c, Character());
        text::AppendUtf8(c, &expr.text);
      }
      return expr;
    }
    if (Take("[")) {
      expr.kind = Expr::Kind::kSet;
      const bool negated = Take("^");
      while (!Take("]")) {
        ASSIGN_OR_RETURN(const uint32_t low, Character());
        uint32_t high = low;
        if (Peek() == '-' && pos_ + 1 < text_.size() && text_[pos_ + 1] != ']') {
          ++pos_;
          ASSIGN_OR_RETURN(high, Character());
          if (high < low) return Bad("a range out of order");
        }
        expr.set.Add(low, high);
      }
      if (negated) expr.set = expr.set.Complement();
      return expr;
    }
    if (Take("(")) {
      Space(true);
      ASSIGN_OR_RETURN(expr, Choice(true));
      Space(true);
      if (!Take(")")) return Bad("'(' without ')'");
      return expr;
    }
    if (Take(".")) {
      expr.kind = Expr::Kind::kSet;
      expr.set = {{0, kLastCodePoint}};
      return expr;
    }
    expr.kind = Expr::Kind::kRule;
    expr.text = Name();
    if (expr.text.empty()) return Bad(std::string("'") + Peek() + "' is out of place");
    return expr;
  }

  const std::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
};

class Builder {
 public:
  explicit Builder(const std::map<std::string, Expr, std::less<>>& rules) : rules_(rules) {}

  Result<Grammar> Build() {
    if (!rules_.contains("root")) return InvalidArgument("grammar: there is no rule root");
    for (const auto& [name, expr] : rules_) begin_[name] = grammar_.AddOpenSplit();
    for (const auto& [name, expr] : rules_) {
      ASSIGN_OR_RETURN(const int body, Add(expr, grammar_.AddReturn()));
      grammar_.SetSplit(begin_[name], {body});
    }
    RETURN_IF_ERROR(grammar_.Finish(begin_["root"]).WithContext("grammar"));
    return std::move(grammar_);
  }

 private:
  Result<int> Add(const Expr& expr, int next) {
    RETURN_IF_ERROR(grammar_.CheckSize().WithContext("grammar"));
    switch (expr.kind) {
      case Expr::Kind::kText:
        return grammar_.AddText(expr.text, next);
      case Expr::Kind::kSet:
        return AddSet(expr.set, next);
      case Expr::Kind::kRule: {
        const auto it = begin_.find(expr.text);
        if (it == begin_.end()) {
          return InvalidArgument("grammar, line " + std::to_string(expr.line) +
                                 ": there is no rule " + expr.text);
        }
        return grammar_.AddCall(it->second, next);
      }
      case Expr::Kind::kSequence:
        for (size_t i = expr.parts.size(); i-- > 0;) {
          ASSIGN_OR_RETURN(next, Add(expr.parts[i], next));
        }
        return next;
      case Expr::Kind::kChoice: {
        std::vector<int32_t> targets;
        for (const Expr& part : expr.parts) {
          ASSIGN_OR_RETURN(const int target, Add(part, next));
          targets.push_back(target);
        }
        return targets.size() == 1 ? targets[0] : grammar_.AddSplit(std::move(targets));
      }
      case Expr::Kind::kRepeat: {
        // A frame of its own, for the counter.
        ASSIGN_OR_RETURN(const int body, Add(expr.parts[0], grammar_.AddReturn()));
        const int loop = grammar_.AddLoop(body, expr.min, expr.max, grammar_.AddReturn());
        return grammar_.AddCall(loop, next);
      }
    }
    return next;
  }

  Result<int> AddSet(const CodePointSet& set, int next) {
    Nfa nfa;
    const int from = nfa.AddState(), to = nfa.AddState();
    for (const auto& [low, high] : set.Ranges()) nfa.AddCodePoints(from, low, high, to);
    ASSIGN_OR_RETURN(Dfa dfa, nfa.Determinize(from, to));
    return grammar_.AddDfa(grammar_.AddDfaTable(std::move(dfa)), next);
  }

  const std::map<std::string, Expr, std::less<>>& rules_;
  std::map<std::string, int, std::less<>> begin_;
  Grammar grammar_;
};

}  // namespace

Result<Grammar> CompileGbnf(std::string_view text) {
  if (text::ValidUtf8Prefix(text) != text.size()) return InvalidArgument("the grammar is no UTF-8");
  std::map<std::string, Expr, std::less<>> rules;
  RETURN_IF_ERROR(Parser(text).Parse(&rules));
  return Builder(rules).Build();
}

}  // namespace galen::grammar
