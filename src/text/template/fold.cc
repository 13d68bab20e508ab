#include "text/template/fold.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include "text/template/access.h"
#include "text/template/lexer.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"

namespace galen::jinja {
namespace {

// What all constants of a template may take. Beyond, they are computed when the template runs.
TemplateLimits FoldLimits() {
  TemplateLimits limits;
  limits.steps = 500'000;
  limits.memory_bytes = size_t{16} << 20;
  return limits;
}

bool IsDisplay(const Expr* e) {
  return e->kind == ExprKind::kTuple || e->kind == ExprKind::kList || e->kind == ExprKind::kDict;
}

// Whether the expression can have a value although one of its parts has none.
bool MayLeaveOutParts(const Expr* e) {
  return e->kind == ExprKind::kAnd || e->kind == ExprKind::kOr || e->kind == ExprKind::kCompare ||
         e->kind == ExprKind::kConditional;
}

// These filters ask for the variables of the rendering, or for chance.
bool NeedsContext(const ApplyExpr& e) {
  if (e.kind != ExprKind::kFilter) return false;
  for (const std::string_view name :
       {"map", "select", "selectattr", "reject", "rejectattr", "random"}) {
    if (e.name == name) return true;
  }
  return false;
}

}  // namespace

Folder::Folder(Syntax* syntax)
    : syntax_(*syntax), interpreter_(*syntax, FoldLimits()), unknown_("not a constant") {}

Status Folder::Fold(Expr** e, bool output) {
  error_ = OkStatus();
  // Jinja tries an output as a whole before it looks at its parts, and a display only by its parts.
  const Value value = Reduce(e, false);
  std::string text;
  if (output && !value.missing() && AppendText(interpreter_, value, &text).ok() &&
      interpreter_.StepBytes(text.size()).ok()) {
    *e = Make<ConstantExpr>((*e)->line, syntax_.constants.String(std::move(text)));
    return OkStatus();
  }
  if (Storable(value)) Store(value, e);
  return error_;
}

// The value of an expression, or kMissing where it is not constant. Parts with values that can be
// stored are replaced, unless the whole has such a value. `optimized`: Jinja's optimizer goes over
// the expression as a part of a larger one.
Value Folder::Reduce(Expr** slot, bool optimized) {
  Expr* e = *slot;
  if (e->kind == ExprKind::kConstant) return static_cast<ConstantExpr*>(e)->value;
  const std::vector<Expr**> parts = Parts(e);
  std::vector<Value> values;
  values.reserve(parts.size());
  for (Expr** part : parts) values.push_back(Reduce(part, optimized || !IsDisplay(e)));

  // Each part is computed once: its value stands in for it while the whole is computed.
  std::vector<Expr*> own;
  std::deque<ConstantExpr> stand_ins;
  for (size_t i = 0; i < parts.size(); ++i) {
    own.push_back(*parts[i]);
    *parts[i] =
        values[i].missing() ? static_cast<Expr*>(&unknown_) : &stand_ins.emplace_back(values[i]);
  }
  if (optimized && e->kind == ExprKind::kDict) CheckKeys(*static_cast<RowExpr*>(e));
  const bool complete =
      std::none_of(values.begin(), values.end(), [](const Value& v) { return v.missing(); });
  const Value value = complete || MayLeaveOutParts(e) ? Compute(e) : Value();
  for (size_t i = 0; i < parts.size(); ++i) *parts[i] = own[i];

  if (Storable(value)) return value;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (Storable(values[i])) Store(values[i], parts[i]);
  }
  if (e->kind == ExprKind::kBinary) NegatePower(slot);
  return value;
}

Value Folder::Compute(Expr* e) {
  const Result<Value> value = Evaluate(e);
  return value.ok() ? *value : Value();
}

Result<Value> Folder::Evaluate(Expr* e) {
  switch (e->kind) {
    case ExprKind::kName:
    case ExprKind::kCall:
      return Value();
    case ExprKind::kConditional: {
      ConditionalExpr whole = *static_cast<ConditionalExpr*>(e);
      if (whole.otherwise == nullptr) whole.otherwise = &unknown_;
      return interpreter_.Eval(&whole, nullptr);
    }
    case ExprKind::kSlice:
      return EvaluateSlice(*static_cast<SliceExpr*>(e));
    case ExprKind::kFilter:
    case ExprKind::kTest: {
      ApplyExpr whole = *static_cast<ApplyExpr*>(e);
      if (whole.value == nullptr || NeedsContext(whole)) return Value();
      CallArguments& a = whole.arguments;
      if (a.named_dict != nullptr) {
        // **{...} may name an argument again: its value counts.
        ASSIGN_OR_RETURN(const Value again, interpreter_.Eval(a.named_dict, nullptr));
        if (!again.is(Kind::kDict)) return Value();
        std::erase_if(a.named,
                      [&](const auto& n) { return again.dict().Find(n.first) != nullptr; });
      }
      return interpreter_.Eval(&whole, nullptr);
    }
    default:
      return interpreter_.Eval(e, nullptr);
  }
}

Result<Value> Folder::EvaluateSlice(const SliceExpr& e) {
  Value bounds[3];
  const Expr* parts[] = {e.start, e.stop, e.step};
  for (size_t i = 0; i < 3; ++i) {
    if (parts[i] == nullptr) continue;
    ASSIGN_OR_RETURN(bounds[i], interpreter_.Eval(parts[i], nullptr));
  }
  ASSIGN_OR_RETURN(const Value object, interpreter_.Eval(e.object, nullptr));
  return GetSliceOrUndefined(interpreter_, object, bounds[0], bounds[1], bounds[2]);
}

// The one mistake that Jinja's optimizer does not leave to the rendering.
void Folder::CheckKeys(const RowExpr& dict) {
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    for (const size_t at : {i, i + 1}) {
      if (dict.items[at] == &unknown_) return;
    }
    const Value key = static_cast<const ConstantExpr*>(dict.items[i])->value;
    uint64_t hash = 0;
    if (HashKey(key, &hash)) continue;
    if (error_.ok()) error_ = SyntaxError(dict.line, "unhashable type: " + QuotedType(key));
    return;
  }
}

// Jinja writes a constant into Python's source, where "-2 ** x" means -(2 ** x).
void Folder::NegatePower(Expr** slot) {
  auto* power = static_cast<OperatorExpr*>(*slot);
  if (power->op != Operator::kPow || power->left->kind != ExprKind::kConstant) return;
  const Value base = static_cast<ConstantExpr*>(power->left)->value;
  if (!base.number() || !std::signbit(base.as_double())) return;
  const Result<Value> positive = Negate(interpreter_, base);
  if (!positive.ok()) return;
  power->left = Code(*positive, power->line);
  *slot = Make<OperatorExpr>(power->line, ExprKind::kUnary, Operator::kNegate, power, nullptr);
}

// Whether Python's repr() of the value is source that gives the value.
bool Folder::Storable(const Value& v) {
  const auto all = [&](const std::vector<Value>& items) {
    return std::all_of(items.begin(), items.end(),
                       [&](const Value& item) { return Storable(item); });
  };
  switch (v.kind()) {
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return interpreter_.Step().ok();
    case Kind::kString:
      return interpreter_.StepBytes(v.str().size()).ok();
    case Kind::kList:
    case Kind::kTuple:
      return interpreter_.Step().ok() && !v.as<SequenceObj>()->group && all(v.items());
    case Kind::kDict:
      return interpreter_.Step().ok() &&
             std::all_of(v.dict().entries.begin(), v.dict().entries.end(), [&](const auto& entry) {
               return Storable(entry.key) && Storable(entry.value);
             });
    default:
      return false;
  }
}

void Folder::Store(const Value& v, Expr** slot) {
  const bool stored = (*slot)->kind == ExprKind::kConstant && !v.is(Kind::kFloat);
  if (!stored) *slot = Code(v, (*slot)->line);
}

Expr* Folder::Code(const Value& v, int line) {
  switch (v.kind()) {
    case Kind::kFloat:
      if (std::isfinite(v.as_double())) return Make<ConstantExpr>(line, v);
      // Python's source has no such constants.
      return Make<FailureExpr>(line, std::string("name '") +
                                         (std::isnan(v.as_double()) ? "nan" : "inf") +
                                         "' is not defined: a constant must be finite");
    case Kind::kString:
      return Make<ConstantExpr>(line, syntax_.constants.String(v.str()).WithMarkup(v.markup()));
    // Parts, not one value: each time the expression is reached it gives a new list or dict.
    case Kind::kList:
    case Kind::kTuple: {
      std::vector<Expr*> items;
      for (const Value& item : v.items()) items.push_back(Code(item, line));
      return Make<RowExpr>(line, v.is(Kind::kList) ? ExprKind::kList : ExprKind::kTuple,
                           std::move(items));
    }
    case Kind::kDict: {
      std::vector<Expr*> items;
      for (const auto& entry : v.dict().entries) {
        items.push_back(Code(entry.key, line));
        items.push_back(Code(entry.value, line));
      }
      return Make<RowExpr>(line, ExprKind::kDict, std::move(items));
    }
    default:
      return Make<ConstantExpr>(line, v);
  }
}

}  // namespace galen::jinja
