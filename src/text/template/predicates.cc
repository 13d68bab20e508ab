// Jinja's tests: `x is defined`, `x is divisibleby(3)`, ...
#include <algorithm>
#include <iterator>

#include "text/template/arguments.h"
#include "text/template/builtins.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

Result<Value> OneArgument(const Args& arguments, bool (*test)(const Value&)) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("test", arguments, {"value"}, 1));
  return Value::Bool(test(a[0]));
}

template <bool (*kTest)(const Value&)>
Result<Value> Simple(Env&, Args& arguments) {
  return OneArgument(arguments, kTest);
}

template <Operator kOperator>
Result<Value> Relation(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<2>("test", arguments, 2));
  ASSIGN_OR_RETURN(const bool holds, Compare(env, kOperator, a[0], a[1]));
  return Value::Bool(holds);
}

bool IsDefined(const Value& v) { return !v.undefined(); }
bool IsUndefined(const Value& v) { return v.undefined(); }
bool IsNone(const Value& v) { return v.none(); }
bool IsBoolean(const Value& v) { return v.is(Kind::kBool); }
bool IsTrue(const Value& v) { return v.is(Kind::kBool) && v.as_bool(); }
bool IsFalse(const Value& v) { return v.is(Kind::kBool) && !v.as_bool(); }
bool IsInteger(const Value& v) { return v.is(Kind::kInt); }
bool IsFloat(const Value& v) { return v.is(Kind::kFloat); }
bool IsNumber(const Value& v) { return v.number(); }
bool IsString(const Value& v) { return v.string(); }
bool IsMapping(const Value& v) { return v.is(Kind::kDict); }
bool IsEscaped(const Value& v) { return v.string() && v.markup(); }
bool IsFilter(const Value& v) { return v.string() && FindFilter(v.str()) != nullptr; }
bool IsTest(const Value& v) { return v.string() && FindTest(v.str()) != nullptr; }
// What has both len() and [].
bool IsSequence(const Value& v) {
  return v.string() || v.sequence() || v.is(Kind::kDict) || v.is(Kind::kRange) || v.undefined();
}
bool IsCallable(const Value& v) {
  return v.is(Kind::kMacro) || v.is(Kind::kFunction) || v.is(Kind::kMethod) || v.is(Kind::kLoop) ||
         v.is(Kind::kJoiner) || v.undefined();
}

Result<Value> Remainder(Env& env, const Args& arguments, int64_t divisor, int64_t expected) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("test", arguments, {"value"}, 1));
  ASSIGN_OR_RETURN(const Value rest, Arithmetic(env, Operator::kMod, a[0], Value::Int(divisor)));
  ASSIGN_OR_RETURN(const bool equal, Equal(env, rest, Value::Int(expected)));
  return Value::Bool(equal);
}
Result<Value> TestOdd(Env& env, Args& a) { return Remainder(env, a, 2, 1); }
Result<Value> TestEven(Env& env, Args& a) { return Remainder(env, a, 2, 0); }

Result<Value> TestDivisibleBy(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("divisibleby", arguments, {"value", "num"}, 2));
  ASSIGN_OR_RETURN(const Value rest, Arithmetic(env, Operator::kMod, a[0], a[1]));
  ASSIGN_OR_RETURN(const bool equal, Equal(env, rest, Value::Int(0)));
  return Value::Bool(equal);
}

Result<Value> TestIn(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("in", arguments, {"value", "seq"}, 2));
  ASSIGN_OR_RETURN(const bool contained, Compare(env, Operator::kIn, a[0], a[1]));
  return Value::Bool(contained);
}

Result<Value> TestSameAs(Env&, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("sameas", arguments, {"value", "other"}, 2));
  return Value::Bool(a[0].Same(a[1]));
}

Result<Value> CaseTest(Env& env, const Args& arguments, std::string_view predicate) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("test", arguments, {"value"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  RETURN_IF_ERROR(env.StepBytes(text.str().size()));
  return Value::Bool(TextPredicate(predicate, text.str()));
}
Result<Value> TestLower(Env& env, Args& a) { return CaseTest(env, a, "islower"); }
Result<Value> TestUpper(Env& env, Args& a) { return CaseTest(env, a, "isupper"); }

constexpr Builtin kTests[] = {
    {"!=", Relation<Operator::kNe>},
    {"<", Relation<Operator::kLt>},
    {"<=", Relation<Operator::kLe>},
    {"==", Relation<Operator::kEq>},
    {">", Relation<Operator::kGt>},
    {">=", Relation<Operator::kGe>},
    {"boolean", Simple<IsBoolean>},
    {"callable", Simple<IsCallable>},
    {"defined", Simple<IsDefined>},
    {"divisibleby", TestDivisibleBy},
    {"eq", Relation<Operator::kEq>},
    {"equalto", Relation<Operator::kEq>},
    {"escaped", Simple<IsEscaped>},
    {"even", TestEven},
    {"false", Simple<IsFalse>},
    {"filter", Simple<IsFilter>},
    {"float", Simple<IsFloat>},
    {"ge", Relation<Operator::kGe>},
    {"greaterthan", Relation<Operator::kGt>},
    {"gt", Relation<Operator::kGt>},
    {"in", TestIn},
    {"integer", Simple<IsInteger>},
    {"iterable", Simple<IsIterable>},
    {"le", Relation<Operator::kLe>},
    {"lessthan", Relation<Operator::kLt>},
    {"lower", TestLower},
    {"lt", Relation<Operator::kLt>},
    {"mapping", Simple<IsMapping>},
    {"ne", Relation<Operator::kNe>},
    {"none", Simple<IsNone>},
    {"number", Simple<IsNumber>},
    {"odd", TestOdd},
    {"sameas", TestSameAs},
    {"sequence", Simple<IsSequence>},
    {"string", Simple<IsString>},
    {"test", Simple<IsTest>},
    {"true", Simple<IsTrue>},
    {"undefined", Simple<IsUndefined>},
    {"upper", TestUpper},
};

}  // namespace

const Builtin* FindTest(std::string_view name) {
  const auto it = std::lower_bound(std::begin(kTests), std::end(kTests), name,
                                   [](const Builtin& b, std::string_view n) { return b.name < n; });
  return it != std::end(kTests) && it->name == name ? it : nullptr;
}

}  // namespace galen::jinja
