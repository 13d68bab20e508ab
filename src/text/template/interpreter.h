// Walks a template's tree and writes its text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/template/ast.h"
#include "text/template/builtins.h"
#include "text/template/env.h"
#include "text/template/iterate.h"
#include "text/template/macro.h"

namespace galen::jinja {

// The names of one block of the template that has names of its own. kMissing as a value: hidden,
// not yet assigned.
struct Scope : Object {
  Scope* parent = nullptr;
  std::vector<std::pair<NameId, Value>> names;
  bool captured = false;  // a macro or generator refers to it, so that it must not be reused

  void Set(NameId name, const Value& value);
};

class Interpreter : public Env {
 public:
  Interpreter(const Syntax& syntax, const TemplateLimits& limits);

  // Gives the template a variable before it runs.
  void Define(const std::string& name, const Value& value);

  // Renders; on failure the message carries the template's line.
  Status Run();
  std::string& output() { return output_; }
  // Bytes [begin, end) of the output that came from {% generation %} blocks.
  const std::vector<std::pair<size_t, size_t>>& generation_spans() const {
    return generation_spans_;
  }

  Result<Value> Call(const Value& callee, Args arguments) override;
  Result<Value> Eval(const Expr* e, Scope* scope);
  Status Assign(const Expr* target, const Value& value, Scope* scope);

 private:
  enum class Flow { kNormal, kBreak, kContinue };
  class ScopeLease;
  class Buffer;

  // Statements: interpreter_statements.cc
  Result<Flow> Exec(const Body& body, Scope* scope);
  Result<Flow> Exec(const Stmt* statement, Scope* scope);
  Result<Flow> ExecIf(const IfStmt& node, Scope* scope);
  Result<Flow> ExecFor(const ForStmt& node, Scope* scope);
  Result<Flow> RunLoop(const ForStmt& node, const Value& iterable, int depth0, Scope* scope);
  Result<Flow> ExecSet(const SetStmt& node, Scope* scope);
  Result<Flow> ExecSetBlock(const SetBlockStmt& node, Scope* scope);
  Result<Flow> ExecWith(const WithStmt& node, Scope* scope);
  Result<Flow> ExecFilterBlock(const FilterBlockStmt& node, Scope* scope);
  Result<Flow> ExecCallBlock(const CallBlockStmt& node, Scope* scope);
  Result<Flow> ExecGeneration(const GenerationStmt& node, Scope* scope);
  Result<Value> CallMacro(const MacroObj& macro, Args arguments);
  Result<Value> CallLoop(LoopObj* loop, const Args& arguments);
  Value MakeMacro(const MacroStmt& statement, Scope* scope);
  Status CheckNamespaces(const Expr* target, Scope* scope);
  Status Write(std::string_view text);
  Status WriteResult(const Value& v);

  // Expressions: interpreter.cc
  Result<Value> EvalNode(const Expr* e, Scope* scope);
  Result<Value> EvalRow(const RowExpr& e, Scope* scope);
  Result<Value> EvalOperator(const OperatorExpr& e, Scope* scope);
  Result<Value> EvalCompare(const CompareExpr& e, Scope* scope);
  Result<Value> EvalConditional(const ConditionalExpr& e, Scope* scope);
  Result<Value> EvalAttribute(const AttributeExpr& e, Scope* scope);
  Result<Value> EvalItem(const ItemExpr& e, Scope* scope);
  Result<Value> EvalSlice(const SliceExpr& e, Scope* scope);
  Result<Value> EvalCall(const CallExpr& e, Scope* scope, const Value& caller);
  Result<Value> EvalApply(const ApplyExpr& e, Scope* scope);
  Status EvalArguments(const CallArguments& a, Scope* scope, Args* out);
  Result<Value> Lookup(NameId name, Scope* scope);
  Status SetName(NameId name, const Value& value, Scope* scope);

  Scope* NewScope(Scope* parent, const HiddenNames& hidden);
  void FreeScope(Scope* scope);
  static void Capture(Scope* scope);

  const Syntax& syntax_;
  std::vector<Value> root_;        // by NameId; kMissing: not defined
  std::vector<bool> root_hidden_;  // assigned later in the template, so not yet visible
  std::vector<Scope*> free_scopes_;
  Value block_text_;  // what the innermost {% filter %} or {% set | filter %} applies to
  std::string output_;
  std::string* out_ = &output_;
  std::vector<std::pair<size_t, size_t>> generation_spans_;
  int error_line_ = 0;

  friend struct FilteredItems;
};

}  // namespace galen::jinja
