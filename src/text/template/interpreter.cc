#include "text/template/interpreter.h"

#include <algorithm>
#include <utility>

#include "text/template/access.h"
#include "text/template/methods.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {

void Scope::Set(NameId name, const Value& value) {
  for (auto& [id, v] : names) {
    if (id == name) {
      v = value;
      return;
    }
  }
  names.emplace_back(name, value);
}

Interpreter::Interpreter(const Syntax& syntax, const TemplateLimits& limits)
    : Env(limits), syntax_(syntax), root_(syntax.names.size()), root_hidden_(syntax.names.size()) {
  for (const NameId name : syntax.hidden) root_hidden_[static_cast<size_t>(name)] = true;
}

void Interpreter::Define(const std::string& name, const Value& value) {
  const auto it = syntax_.name_ids.find(name);
  if (it != syntax_.name_ids.end()) root_[static_cast<size_t>(it->second)] = value;
}

Scope* Interpreter::NewScope(Scope* parent, const HiddenNames& hidden) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    scope = heap.New<Scope>(64);
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  for (const NameId name : hidden) scope->names.emplace_back(name, Value());
  return scope;
}

void Interpreter::FreeScope(Scope* scope) {
  if (scope->captured) return;
  scope->names.clear();
  free_scopes_.push_back(scope);
}

void Interpreter::Capture(Scope* scope) {
  for (; scope != nullptr && !scope->captured; scope = scope->parent) scope->captured = true;
}

Result<Value> Interpreter::Lookup(NameId name, Scope* scope) {
  for (Scope* s = scope; s != nullptr; s = s->parent) {
    if (s->names.size() > 32) RETURN_IF_ERROR(Step(static_cast<int64_t>(s->names.size() / 16)));
    for (const auto& [id, value] : s->names) {
      if (id != name) continue;
      if (value.missing())
        return Undefined(ReprText(syntax_.names[static_cast<size_t>(name)]) + " is undefined");
      return value;
    }
  }
  const auto index = static_cast<size_t>(name);
  const std::string& text = syntax_.names[index];
  if (!root_hidden_[index]) {
    if (!root_[index].missing()) return root_[index];
    if (const Builtin* function = FindFunction(text)) {
      root_[index] = Value::Of(Kind::kFunction, heap.New<FunctionObj>(0, function));
      return root_[index];
    }
  }
  return Undefined(ReprText(text) + " is undefined");
}

Status Interpreter::SetName(NameId name, const Value& value, Scope* scope) {
  if (scope == nullptr) {
    root_[static_cast<size_t>(name)] = value;
    root_hidden_[static_cast<size_t>(name)] = false;
    return OkStatus();
  }
  scope->Set(name, value);
  return Step(1 + static_cast<int64_t>(scope->names.size() / 16));
}

Result<Value> Interpreter::Eval(const Expr* e, Scope* scope) {
  // The two most frequent kinds need no guard.
  if (e->kind == ExprKind::kConstant) return static_cast<const ConstantExpr*>(e)->value;
  const Depth depth(this);
  RETURN_IF_ERROR(depth.status());
  RETURN_IF_ERROR(Step());
  Result<Value> result = EvalNode(e, scope);
  if (!result.ok() && error_line_ == 0) error_line_ = e->line;
  return result;
}

Result<Value> Interpreter::EvalNode(const Expr* e, Scope* scope) {
  switch (e->kind) {
    case ExprKind::kConstant:
      return static_cast<const ConstantExpr*>(e)->value;
    case ExprKind::kFailure:
      return InvalidArgument(static_cast<const FailureExpr*>(e)->message);
    case ExprKind::kName:
      return Lookup(static_cast<const NameExpr*>(e)->name, scope);
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict:
    case ExprKind::kConcat:
      return EvalRow(*static_cast<const RowExpr*>(e), scope);
    case ExprKind::kUnary:
    case ExprKind::kBinary:
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kNot:
      return EvalOperator(*static_cast<const OperatorExpr*>(e), scope);
    case ExprKind::kCompare:
      return EvalCompare(*static_cast<const CompareExpr*>(e), scope);
    case ExprKind::kConditional:
      return EvalConditional(*static_cast<const ConditionalExpr*>(e), scope);
    case ExprKind::kAttribute:
      return EvalAttribute(*static_cast<const AttributeExpr*>(e), scope);
    case ExprKind::kItem:
      return EvalItem(*static_cast<const ItemExpr*>(e), scope);
    case ExprKind::kSlice:
      return EvalSlice(*static_cast<const SliceExpr*>(e), scope);
    case ExprKind::kCall:
      return EvalCall(*static_cast<const CallExpr*>(e), scope, Value());
    case ExprKind::kFilter:
    case ExprKind::kTest:
      return EvalApply(*static_cast<const ApplyExpr*>(e), scope);
    case ExprKind::kNamespaceRef:
      break;  // a target only
  }
  return InvalidArgument("not an expression");
}

Result<Value> Interpreter::EvalRow(const RowExpr& e, Scope* scope) {
  if (e.kind == ExprKind::kConcat) {
    std::string text;
    for (const Expr* item : e.items) {
      ASSIGN_OR_RETURN(const Value v, Eval(item, scope));
      RETURN_IF_ERROR(AppendText(*this, v, &text));
    }
    return String(std::move(text));
  }
  std::vector<Value> items;
  items.reserve(e.items.size());
  for (const Expr* item : e.items) {
    ASSIGN_OR_RETURN(const Value v, Eval(item, scope));
    items.push_back(v);
  }
  Value made;
  if (e.kind == ExprKind::kDict) {
    auto dict = std::make_unique<DictObj>();
    for (size_t i = 0; i < items.size(); i += 2) {
      uint64_t hash = 0;
      if (!HashKey(items[i], &hash)) return TypeError("unhashable type: " + QuotedType(items[i]));
      dict->Set(items[i], hash, items[i + 1]);
    }
    made = heap.Dict(std::move(dict));
  } else {
    made = e.kind == ExprKind::kList ? heap.List(std::move(items)) : heap.Tuple(std::move(items));
  }
  RETURN_IF_ERROR(CheckNesting(made));
  return made;
}

Result<Value> Interpreter::EvalOperator(const OperatorExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(const Value left, Eval(e.left, scope));
  switch (e.kind) {
    case ExprKind::kNot: {
      ASSIGN_OR_RETURN(const bool truthy, Truthy(*this, left));
      return Value::Bool(!truthy);
    }
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      ASSIGN_OR_RETURN(const bool truthy, Truthy(*this, left));
      if (truthy == (e.kind == ExprKind::kOr)) return left;
      return Eval(e.right, scope);
    }
    case ExprKind::kUnary:
      return e.op == Operator::kNegate ? Negate(*this, left) : Plus(*this, left);
    default: {
      ASSIGN_OR_RETURN(const Value right, Eval(e.right, scope));
      return Arithmetic(*this, e.op, left, right);
    }
  }
}

Result<Value> Interpreter::EvalCompare(const CompareExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(Value left, Eval(e.first, scope));
  for (const auto& [op, operand] : e.rest) {
    ASSIGN_OR_RETURN(const Value right, Eval(operand, scope));
    ASSIGN_OR_RETURN(const bool holds, Compare(*this, op, left, right));
    if (!holds) return Value::Bool(false);
    left = right;
  }
  return Value::Bool(true);
}

Result<Value> Interpreter::EvalConditional(const ConditionalExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(const Value test, Eval(e.test, scope));
  ASSIGN_OR_RETURN(const bool truthy, Truthy(*this, test));
  if (truthy) return Eval(e.then, scope);
  if (e.otherwise != nullptr) return Eval(e.otherwise, scope);
  return Undefined("the inline if-expression on line " + std::to_string(e.line) +
                   " evaluated to false and no else section was defined.");
}

Result<Value> Interpreter::EvalAttribute(const AttributeExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(const Value object, Eval(e.object, scope));
  return GetAttribute(*this, object, e.name);
}

Result<Value> Interpreter::EvalItem(const ItemExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(const Value object, Eval(e.object, scope));
  ASSIGN_OR_RETURN(const Value index, Eval(e.index, scope));
  return GetItem(*this, object, index);
}

Result<Value> Interpreter::EvalSlice(const SliceExpr& e, Scope* scope) {
  ASSIGN_OR_RETURN(const Value object, Eval(e.object, scope));
  Value bounds[3];
  const Expr* parts[] = {e.start, e.stop, e.step};
  for (size_t i = 0; i < 3; ++i) {
    if (parts[i] == nullptr) continue;
    ASSIGN_OR_RETURN(bounds[i], Eval(parts[i], scope));
  }
  return GetSlice(*this, object, bounds[0], bounds[1], bounds[2]);
}

Status Interpreter::EvalArguments(const CallArguments& a, Scope* scope, Args* out) {
  for (const Expr* e : a.positional) {
    ASSIGN_OR_RETURN(const Value v, Eval(e, scope));
    out->positional.push_back(v);
  }
  if (a.positional_list != nullptr) {
    ASSIGN_OR_RETURN(const Value list, Eval(a.positional_list, scope));
    ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(*this, list));
    out->positional.insert(out->positional.end(), items.begin(), items.end());
  }
  for (const auto& [name, e] : a.named) {
    ASSIGN_OR_RETURN(const Value v, Eval(e, scope));
    out->named.emplace_back(name, v);
  }
  if (a.named_dict == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(const Value dict, Eval(a.named_dict, scope));
  if (!dict.is(Kind::kDict))
    return TypeError("argument after ** must be a mapping, not " + std::string(TypeName(dict)));
  const size_t explicit_names = out->named.size();
  for (const auto& entry : dict.dict().entries) {
    if (!entry.key.string()) return TypeError("keywords must be strings");
    for (size_t i = 0; i < explicit_names; ++i) {
      if (out->named[i].first == entry.key.str()) {
        return TypeError("got multiple values for keyword argument " + ReprText(entry.key.str()));
      }
    }
    RETURN_IF_ERROR(Step(1 + static_cast<int64_t>(explicit_names / 4)));
    out->named.emplace_back(entry.key.str(), entry.value);
  }
  return OkStatus();
}

Result<Value> Interpreter::EvalCall(const CallExpr& e, Scope* scope, const Value& caller) {
  ASSIGN_OR_RETURN(const Value callee, Eval(e.callee, scope));
  Args arguments;
  RETURN_IF_ERROR(EvalArguments(e.arguments, scope, &arguments));
  if (!caller.missing()) arguments.named.emplace_back("caller", caller);
  return Call(callee, std::move(arguments));
}

Result<Value> Interpreter::EvalApply(const ApplyExpr& e, Scope* scope) {
  const bool filter = e.kind == ExprKind::kFilter;
  if (e.builtin == nullptr) {
    return InvalidArgument(std::string("No ") + (filter ? "filter" : "test") + " named '" + e.name +
                           "' found.");
  }
  Args arguments;
  arguments.positional.reserve(1 + e.arguments.positional.size());
  if (e.value == nullptr) {
    arguments.positional.push_back(block_text_);
  } else {
    ASSIGN_OR_RETURN(const Value value, Eval(e.value, scope));
    arguments.positional.push_back(value);
  }
  RETURN_IF_ERROR(EvalArguments(e.arguments, scope, &arguments));
  ASSIGN_OR_RETURN(const Value result, e.builtin->call(*this, arguments));
  if (result.sequence() || result.is(Kind::kDict)) RETURN_IF_ERROR(CheckNesting(result));
  return result;
}

Result<Value> Interpreter::Call(const Value& callee, Args arguments) {
  const Depth depth(this);
  RETURN_IF_ERROR(depth.status());
  RETURN_IF_ERROR(Step());
  switch (callee.kind()) {
    case Kind::kMacro:
      return CallMacro(*callee.as<MacroObj>(), std::move(arguments));
    case Kind::kFunction: {
      ASSIGN_OR_RETURN(const Value result,
                       callee.as<FunctionObj>()->builtin->call(*this, arguments));
      RETURN_IF_ERROR(CheckNesting(result));
      return result;
    }
    case Kind::kMethod: {
      ASSIGN_OR_RETURN(const Value result,
                       CallMethod(*this, *callee.as<MethodObj>(), std::move(arguments)));
      RETURN_IF_ERROR(CheckNesting(result));
      return result;
    }
    case Kind::kLoop:
      return CallLoop(callee.as<LoopObj>(), arguments);
    case Kind::kJoiner: {
      if (!arguments.positional.empty() || !arguments.named.empty())
        return TypeError("a joiner takes no arguments");
      auto* joiner = callee.as<JoinerObj>();
      return String(std::exchange(joiner->used, true) ? joiner->separator : std::string());
    }
    case Kind::kUndefined:
      return UndefinedError(callee);
    default:
      return TypeError(QuotedType(callee) + " object is not callable");
  }
}

}  // namespace galen::jinja
