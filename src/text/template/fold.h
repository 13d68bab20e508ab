// Computes constant expressions when a template is compiled. Jinja does, and a template can tell:
// a slice of what has no slices is undefined in there, and an error when the template runs.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "text/template/ast.h"
#include "text/template/interpreter.h"

namespace galen::jinja {

class Folder {
 public:
  explicit Folder(Syntax* syntax);

  // Replaces what is constant in an expression. Filters and tests must have been looked up.
  Status Fold(Expr** e) { return Fold(e, false); }
  // The same for {{ }}: what is constant as a whole becomes its text.
  Status FoldOutput(Expr** e) { return Fold(e, true); }

 private:
  Status Fold(Expr** e, bool output);
  Value Reduce(Expr** slot, bool optimized);
  Value Compute(Expr* e);
  Result<Value> Evaluate(Expr* e);
  Result<Value> EvaluateSlice(const SliceExpr& e);
  void CheckKeys(const RowExpr& dict);
  void NegatePower(Expr** slot);
  bool Storable(const Value& v);
  void Store(const Value& v, Expr** slot);
  Expr* Code(const Value& v, int line);
  template <typename T, typename... A>
  T* Make(int line, A&&... arguments) {
    auto owned = std::make_unique<T>(std::forward<A>(arguments)...);
    T* node = owned.get();
    node->line = line;
    syntax_.nodes.push_back(std::move(owned));
    return node;
  }

  Syntax& syntax_;
  Interpreter interpreter_;
  FailureExpr unknown_;  // stands for a part that is not constant
  Status error_;         // the first that Jinja would raise while it compiles the expression
};

}  // namespace galen::jinja
