// Expressions: tokens to tree. The grammar and its precedences are Jinja's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/ast.h"
#include "text/template/lexer.h"

namespace galen::jinja {

class ExpressionParser {
 public:
  // What ends a tuple besides "}}", "%}" and ")": `in` of a for loop, `recursive` behind its
  // iterable.
  enum class TupleEnd { kNone, kIn, kRecursive };

 protected:
  ExpressionParser(std::vector<Token> tokens, Syntax* syntax)
      : tokens_(std::move(tokens)), syntax_(syntax) {}

  Result<Expr*> ParseExpression();
  // One expression, or a tuple where commas follow. Without `conditional`, `if` ends the
  // expression.
  Result<Expr*> ParseTuple(bool conditional = true, TupleEnd end = TupleEnd::kNone,
                           bool parenthesized = false);
  // What stands left of `in` or `=`.
  Result<Expr*> ParseTarget(TupleEnd end, bool allow_namespace);
  // The filters of {% filter %} and {% set x | f %}; `value` may be null. `inline_start`: the first
  // `|` is absent.
  Result<Expr*> ParseFilters(Expr* value, bool inline_start);

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& Next() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }
  bool SkipOperator(std::string_view op);
  bool SkipName(std::string_view name);
  Status ExpectOperator(std::string_view op);
  Status ExpectKind(TokenKind kind, std::string_view what);
  Result<std::string> ExpectName();
  Status Unexpected(std::string_view expected) const;

  NameId Intern(const std::string& name);
  // Makes a node that the tree owns.
  template <typename T, typename... A>
  T* Make(int line, A&&... arguments) {
    auto owned = std::make_unique<T>(std::forward<A>(arguments)...);
    T* node = owned.get();
    node->line = line;
    syntax_->nodes.push_back(std::move(owned));
    return node;
  }
  // Sets the height of a node above its parts; fails beyond the limit.
  static void Raise(Node* node, const Node* part) {
    if (part != nullptr && part->depth >= node->depth) node->depth = part->depth + 1;
  }
  Status CheckDepth(const Node* node) const;

  // Counts open brackets and blocks.
  class Nesting {
   public:
    explicit Nesting(int* level) : level_(level) { ++*level_; }
    ~Nesting() { --*level_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    int* level_;
  };
  Status CheckNesting() const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  Syntax* syntax_;

 private:
  Result<Expr*> ParseConditional();
  Result<Expr*> ParseOr();
  Result<Expr*> ParseAnd();
  Result<Expr*> ParseNot();
  Result<Expr*> ParseCompare();
  Result<Expr*> ParseSum();
  Result<Expr*> ParseConcat();
  Result<Expr*> ParseProduct();
  Result<Expr*> ParsePower();
  Result<Expr*> ParseUnary(bool with_filters);
  Result<Expr*> ParsePrimary(bool allow_namespace);
  Result<Expr*> ParseList();
  Result<Expr*> ParseDict();
  Result<Expr*> ParsePostfix(Expr* object);
  Result<Expr*> ParseSubscript(Expr* object);
  Result<Expr*> ParseCall(Expr* callee);
  Result<Expr*> ParseTest(Expr* value);
  Result<Expr*> ParseSliceOrItem(Expr* object, int line);
  Status ParseArguments(CallArguments* arguments);
  bool AtTupleEnd(TupleEnd end) const;
  Result<Expr*> MakeBinary(ExprKind kind, Operator op, int line, Expr* left, Expr* right);
};

}  // namespace galen::jinja
