#include <algorithm>
#include <utility>

#include "text/template/interpreter.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {

// A scope for the duration of a C++ block.
class Interpreter::ScopeLease {
 public:
  ScopeLease(Interpreter* interpreter, Scope* parent, const HiddenNames& hidden)
      : interpreter_(interpreter), scope_(interpreter->NewScope(parent, hidden)) {}
  ~ScopeLease() { interpreter_->FreeScope(scope_); }
  ScopeLease(const ScopeLease&) = delete;
  ScopeLease& operator=(const ScopeLease&) = delete;
  Scope* get() const { return scope_; }

 private:
  Interpreter* interpreter_;
  Scope* scope_;
};

// Collects what is written during a C++ block.
class Interpreter::Buffer {
 public:
  explicit Buffer(Interpreter* interpreter) : interpreter_(interpreter), outer_(interpreter->out_) {
    interpreter->out_ = &text_;
  }
  ~Buffer() { interpreter_->out_ = outer_; }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // Ends the collection.
  std::string Take() {
    interpreter_->out_ = outer_;
    return std::move(text_);
  }

 private:
  Interpreter* interpreter_;
  std::string* outer_;
  std::string text_;
};

// The items of `for x in y if test`, tested one by one as the loop asks for them.
struct FilteredItems : IteratorObj {
  FilteredItems(Interpreter* i, const ForStmt* n, IteratorObj* s, Scope* o)
      : interpreter(i), node(n), source(s), outer(o) {}

  Result<bool> Next(Env& env, Value* item) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, source->Next(env, item));
      if (!more) return false;
      scope.names.clear();
      scope.parent = outer;
      RETURN_IF_ERROR(interpreter->Assign(node->target, *item, &scope));
      ASSIGN_OR_RETURN(const Value tested, interpreter->Eval(node->test, &scope));
      ASSIGN_OR_RETURN(const bool passed, Truthy(env, tested));
      if (passed) return true;
    }
  }

  Interpreter* interpreter;
  const ForStmt* node;
  IteratorObj* source;
  Scope* outer;
  Scope scope;
};

Status Interpreter::Run() {
  const Result<Flow> flow = Exec(syntax_.body, nullptr);
  if (flow.ok()) return OkStatus();
  return flow.status().WithContext(
      error_line_ > 0 ? "chat template, line " + std::to_string(error_line_) : "chat template");
}

Status Interpreter::Write(std::string_view text) {
  if (out_ == &output_ &&
      text.size() > limits().output_bytes - std::min(limits().output_bytes, output_.size())) {
    return ResourceExhausted("the template writes more than " +
                             std::to_string(limits().output_bytes) + " bytes");
  }
  RETURN_IF_ERROR(Room(out_->size() + text.size()));
  out_->append(text);
  return StepBytes(text.size());
}

// What a call or filter block gives must be text already.
Status Interpreter::WriteResult(const Value& v) {
  if (v.string()) return Write(v.str());
  return TypeError("sequence item 0: expected str instance, " + std::string(TypeName(v)) +
                   " found");
}

Result<Interpreter::Flow> Interpreter::Exec(const Body& body, Scope* scope) {
  const Depth depth(this);
  RETURN_IF_ERROR(depth.status());
  for (const Stmt* statement : body) {
    Result<Flow> flow = Exec(statement, scope);
    if (!flow.ok() && error_line_ == 0) error_line_ = statement->line;
    if (!flow.ok() || *flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Exec(const Stmt* statement, Scope* scope) {
  RETURN_IF_ERROR(Step());
  switch (statement->kind) {
    case StmtKind::kText:
      RETURN_IF_ERROR(Write(static_cast<const TextStmt*>(statement)->text));
      return Flow::kNormal;
    case StmtKind::kOutput: {
      ASSIGN_OR_RETURN(const Value v,
                       Eval(static_cast<const OutputStmt*>(statement)->value, scope));
      ASSIGN_OR_RETURN(const Value text, ToText(*this, v));
      RETURN_IF_ERROR(Write(text.str()));
      return Flow::kNormal;
    }
    case StmtKind::kIf:
      return ExecIf(*static_cast<const IfStmt*>(statement), scope);
    case StmtKind::kFor:
      return ExecFor(*static_cast<const ForStmt*>(statement), scope);
    case StmtKind::kSet:
      return ExecSet(*static_cast<const SetStmt*>(statement), scope);
    case StmtKind::kSetBlock:
      return ExecSetBlock(*static_cast<const SetBlockStmt*>(statement), scope);
    case StmtKind::kWith:
      return ExecWith(*static_cast<const WithStmt*>(statement), scope);
    case StmtKind::kMacro: {
      const auto& node = *static_cast<const MacroStmt*>(statement);
      RETURN_IF_ERROR(SetName(node.name, MakeMacro(node, scope), scope));
      return Flow::kNormal;
    }
    case StmtKind::kCallBlock:
      return ExecCallBlock(*static_cast<const CallBlockStmt*>(statement), scope);
    case StmtKind::kFilterBlock:
      return ExecFilterBlock(*static_cast<const FilterBlockStmt*>(statement), scope);
    case StmtKind::kGeneration:
      return ExecGeneration(*static_cast<const GenerationStmt*>(statement), scope);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::ExecIf(const IfStmt& node, Scope* scope) {
  for (const auto& branch : node.branches) {
    bool taken = true;
    if (branch.test != nullptr) {
      ASSIGN_OR_RETURN(const Value test, Eval(branch.test, scope));
      ASSIGN_OR_RETURN(taken, Truthy(*this, test));
    }
    if (taken) return Exec(branch.body, scope);
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::ExecFor(const ForStmt& node, Scope* scope) {
  ASSIGN_OR_RETURN(const Value iterable, Eval(node.iterable, scope));
  if (!node.recursive) return RunLoop(node, iterable, 0, scope);
  Buffer buffer(this);
  RETURN_IF_ERROR(RunLoop(node, iterable, 0, scope).status());
  RETURN_IF_ERROR(Write(buffer.Take()));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::RunLoop(const ForStmt& node, const Value& iterable,
                                               int depth0, Scope* scope) {
  ASSIGN_OR_RETURN(IteratorObj * source, Iterate(*this, iterable));
  if (node.test != nullptr) {
    Capture(scope);
    source = heap.New<FilteredItems>(0, this, &node, source, scope);
  }
  const ScopeLease lease(this, scope, {});
  Value loop;
  if (node.uses_loop) {
    auto* object = heap.New<LoopObj>(0);
    if (node.test == nullptr) object->iterable = iterable;
    object->source = source;
    object->depth0 = depth0;
    if (node.recursive) {
      Capture(scope);
      object->statement = &node;
      object->scope = scope;
    }
    source = object;
    loop = Value::Of(Kind::kLoop, object);
  }
  // Jinja runs `else` unless some pass through the body came to its end: `break` and `continue` do
  // not count.
  bool completed = false;
  Value item;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source->Next(*this, &item));
    if (!more) break;
    auto& names = lease.get()->names;
    names.clear();
    for (const NameId name : node.hidden) names.emplace_back(name, Value());
    if (!loop.missing()) names.emplace_back(syntax_.loop, loop);
    RETURN_IF_ERROR(Assign(node.target, item, lease.get()));
    ASSIGN_OR_RETURN(const Flow flow, Exec(node.body, lease.get()));
    if (flow == Flow::kBreak) break;
    completed = completed || flow == Flow::kNormal;
  }
  if (completed || node.otherwise.empty()) return Flow::kNormal;
  const ScopeLease otherwise(this, scope, node.otherwise_hidden);
  return Exec(node.otherwise, otherwise.get());
}

Result<Value> Interpreter::CallLoop(LoopObj* loop, const Args& arguments) {
  if (loop->statement == nullptr) {
    return TypeError("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1 || !arguments.named.empty())
    return TypeError("loop() takes one argument");
  Buffer buffer(this);
  const auto& node = *static_cast<const ForStmt*>(loop->statement);
  RETURN_IF_ERROR(
      RunLoop(node, arguments.positional[0], loop->depth0 + 1, static_cast<Scope*>(loop->scope))
          .status());
  return String(buffer.Take());
}

Status Interpreter::CheckNamespaces(const Expr* target, Scope* scope) {
  if (target->kind == ExprKind::kTuple) {
    for (const Expr* item : static_cast<const RowExpr*>(target)->items)
      RETURN_IF_ERROR(CheckNamespaces(item, scope));
  }
  if (target->kind != ExprKind::kNamespaceRef) return OkStatus();
  ASSIGN_OR_RETURN(const Value object,
                   Lookup(static_cast<const NamespaceRefExpr*>(target)->name, scope));
  if (object.is(Kind::kNamespace)) return OkStatus();
  return InvalidArgument("cannot assign attribute on non-namespace object");
}

Status Interpreter::Assign(const Expr* target, const Value& value, Scope* scope) {
  if (target->kind == ExprKind::kName)
    return SetName(static_cast<const NameExpr*>(target)->name, value, scope);
  if (target->kind == ExprKind::kNamespaceRef) {
    const auto& ref = *static_cast<const NamespaceRefExpr*>(target);
    ASSIGN_OR_RETURN(const Value object, Lookup(ref.name, scope));
    if (!object.is(Kind::kNamespace))
      return InvalidArgument("cannot assign attribute on non-namespace object");
    if (ref.attribute.str().starts_with('_')) {
      return InvalidArgument(
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got " +
          ReprText(ref.attribute.str()));
    }
    uint64_t hash = 0;
    HashKey(ref.attribute, &hash);
    object.as<NamespaceObj>()->attributes.Set(ref.attribute, hash, value);
    return Step();
  }
  const auto& targets = static_cast<const RowExpr*>(target)->items;
  ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(*this, value));
  if (items.size() != targets.size()) {
    return ValueError(
        items.size() < targets.size()
            ? "not enough values to unpack (expected " + std::to_string(targets.size()) + ", got " +
                  std::to_string(items.size()) + ")"
            : "too many values to unpack (expected " + std::to_string(targets.size()) + ")");
  }
  for (size_t i = 0; i < items.size(); ++i) RETURN_IF_ERROR(Assign(targets[i], items[i], scope));
  return OkStatus();
}

Result<Interpreter::Flow> Interpreter::ExecSet(const SetStmt& node, Scope* scope) {
  RETURN_IF_ERROR(CheckNamespaces(node.target, scope));
  ASSIGN_OR_RETURN(const Value value, Eval(node.value, scope));
  RETURN_IF_ERROR(Assign(node.target, value, scope));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::ExecSetBlock(const SetBlockStmt& node, Scope* scope) {
  const ScopeLease lease(this, scope, node.hidden);
  Buffer buffer(this);
  ASSIGN_OR_RETURN(const Flow flow, Exec(node.body, lease.get()));
  if (flow != Flow::kNormal) return flow;
  Value text = String(buffer.Take());
  if (node.filter != nullptr) {
    const Value outer = std::exchange(block_text_, text);
    ASSIGN_OR_RETURN(text, Eval(node.filter, lease.get()));
    block_text_ = outer;
  }
  RETURN_IF_ERROR(Assign(node.target, text, scope));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::ExecFilterBlock(const FilterBlockStmt& node, Scope* scope) {
  const ScopeLease lease(this, scope, node.hidden);
  Buffer buffer(this);
  ASSIGN_OR_RETURN(const Flow flow, Exec(node.body, lease.get()));
  if (flow != Flow::kNormal) return flow;
  const Value outer = std::exchange(block_text_, String(buffer.Take()));
  ASSIGN_OR_RETURN(const Value result, Eval(node.filter, lease.get()));
  block_text_ = outer;
  RETURN_IF_ERROR(WriteResult(result));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::ExecWith(const WithStmt& node, Scope* scope) {
  std::vector<Value> values;
  for (const auto& [target, value] : node.bindings) {
    ASSIGN_OR_RETURN(const Value v, Eval(value, scope));
    values.push_back(v);
  }
  const ScopeLease lease(this, scope, node.hidden);
  for (size_t i = 0; i < values.size(); ++i)
    RETURN_IF_ERROR(Assign(node.bindings[i].first, values[i], lease.get()));
  return Exec(node.body, lease.get());
}

Result<Interpreter::Flow> Interpreter::ExecGeneration(const GenerationStmt& node, Scope* scope) {
  const ScopeLease lease(this, scope, node.hidden);
  Buffer buffer(this);
  RETURN_IF_ERROR(Exec(node.body, lease.get()).status());
  const std::string text = buffer.Take();
  // Inside a macro or a {% set %} block the place in the output is not known; the reference counts
  // from what is written so far, and so does this.
  generation_spans_.emplace_back(output_.size(), output_.size() + text.size());
  RETURN_IF_ERROR(Write(text));
  return Flow::kNormal;
}

Value Interpreter::MakeMacro(const MacroStmt& statement, Scope* scope) {
  Capture(scope);
  auto* macro = heap.New<MacroObj>(0);
  if (statement.name >= 0) macro->name = syntax_.names[static_cast<size_t>(statement.name)];
  macro->statement = &statement;
  macro->scope = scope;
  return Value::Of(Kind::kMacro, macro);
}

Result<Interpreter::Flow> Interpreter::ExecCallBlock(const CallBlockStmt& node, Scope* scope) {
  ASSIGN_OR_RETURN(const Value result, EvalCall(*node.call, scope, MakeMacro(*node.caller, scope)));
  RETURN_IF_ERROR(WriteResult(result));
  return Flow::kNormal;
}

Result<Value> Interpreter::CallMacro(const MacroObj& macro, Args arguments) {
  const MacroStmt& node = *macro.statement;
  const std::string shown = macro.name.empty() ? "None" : ReprText(macro.name);
  const auto take = [&](std::string_view name) {
    for (auto it = arguments.named.begin(); it != arguments.named.end(); ++it) {
      if (it->first != name) continue;
      const Value v = it->second;
      arguments.named.erase(it);
      return v;
    }
    return Value();
  };
  const ScopeLease lease(this, macro.scope, node.hidden);
  Scope* scope = lease.get();
  const size_t count = node.parameters.size();
  std::vector<Value> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = i < arguments.positional.size()
                    ? arguments.positional[i]
                    : take(syntax_.names[static_cast<size_t>(node.parameters[i].name)]);
  }
  Value caller;
  if (node.uses_caller && !node.has_caller_parameter) {
    caller = take("caller");
    if (caller.missing() || caller.none()) caller = Undefined("No caller defined");
  }
  if (!node.uses_kwargs && !arguments.named.empty()) {
    return TypeError("macro " + shown + " takes no keyword argument " +
                     ReprText(arguments.named[0].first));
  }
  if (!node.uses_varargs && arguments.positional.size() > count) {
    return TypeError("macro " + shown + " takes not more than " + std::to_string(count) +
                     " argument(s)");
  }
  if (!caller.missing()) scope->Set(syntax_.caller, caller);
  if (node.uses_kwargs) {
    auto dict = std::make_unique<DictObj>();
    for (const auto& [name, value] : arguments.named) {
      const Value key = String(name);
      uint64_t hash = 0;
      HashKey(key, &hash);
      dict->Set(key, hash, value);
    }
    const Value kwargs = heap.Dict(std::move(dict));
    RETURN_IF_ERROR(CheckNesting(kwargs));
    scope->Set(syntax_.kwargs, kwargs);
  }
  if (node.uses_varargs) {
    const size_t first = std::min(count, arguments.positional.size());
    const Value rest =
        heap.Tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(first),
                    arguments.positional.end()});
    RETURN_IF_ERROR(CheckNesting(rest));
    scope->Set(syntax_.varargs, rest);
  }
  for (size_t i = 0; i < count; ++i) scope->Set(node.parameters[i].name, values[i]);
  for (size_t i = 0; i < count; ++i) {
    if (!values[i].missing()) continue;
    const auto& parameter = node.parameters[i];
    Value value =
        Undefined("parameter " + ReprText(syntax_.names[static_cast<size_t>(parameter.name)]) +
                  " was not provided");
    if (parameter.default_value != nullptr) {
      ASSIGN_OR_RETURN(value, Eval(parameter.default_value, scope));
    }
    scope->Set(parameter.name, value);
  }
  Buffer buffer(this);
  RETURN_IF_ERROR(Exec(node.body, scope).status());
  return String(buffer.Take());
}

}  // namespace galen::jinja
