#include "text/template/operators.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "text/template/format.h"
#include "text/template/iterate.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

const char* Symbol(Operator op) {
  switch (op) {
    case Operator::kAdd:
    case Operator::kPlus:
      return "+";
    case Operator::kSub:
    case Operator::kNegate:
      return "-";
    case Operator::kMul:
      return "*";
    case Operator::kDiv:
      return "/";
    case Operator::kFloorDiv:
      return "//";
    case Operator::kMod:
      return "%";
    case Operator::kPow:
      return "** or pow()";
    case Operator::kEq:
      return "==";
    case Operator::kNe:
      return "!=";
    case Operator::kLt:
      return "<";
    case Operator::kLe:
      return "<=";
    case Operator::kGt:
      return ">";
    case Operator::kGe:
      return ">=";
    case Operator::kIn:
      return "in";
    case Operator::kNotIn:
      return "not in";
  }
  return "?";
}

Status BadOperands(Operator op, const Value& a, const Value& b) {
  if (a.undefined()) return UndefinedError(a);
  if (b.undefined()) return UndefinedError(b);
  return TypeError(std::string("unsupported operand type(s) for ") + Symbol(op) + ": " +
                   QuotedType(a) + " and " + QuotedType(b));
}

Status Overflow() { return ValueError("an integer does not fit into 64 bits"); }

Result<Value> FloorDivide(Operator op, int64_t a, int64_t b) {
  if (b == 0) return ValueError("integer division or modulo by zero");
  if (b == -1) {
    int64_t negated = 0;
    if (op == Operator::kMod) return Value::Int(0);
    if (__builtin_sub_overflow(int64_t{0}, a, &negated)) return Overflow();
    return Value::Int(negated);
  }
  int64_t quotient = a / b, rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    --quotient;
    rest += b;
  }
  return Value::Int(op == Operator::kMod ? rest : quotient);
}

Result<Value> IntPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return ValueError("0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return Overflow();
  }
  return Value::Int(result);
}

Result<Value> IntArithmetic(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      return __builtin_add_overflow(a, b, &result) ? Result<Value>(Overflow()) : Value::Int(result);
    case Operator::kSub:
      return __builtin_sub_overflow(a, b, &result) ? Result<Value>(Overflow()) : Value::Int(result);
    case Operator::kMul:
      return __builtin_mul_overflow(a, b, &result) ? Result<Value>(Overflow()) : Value::Int(result);
    case Operator::kDiv:
      if (b == 0) return ValueError("division by zero");
      return Value::Float(
          static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
    case Operator::kPow:
      return IntPower(a, b);
    default:
      return FloorDivide(op, a, b);
  }
}

Result<Value> FloatArithmetic(Operator op, double a, double b) {
  switch (op) {
    case Operator::kAdd:
      return Value::Float(a + b);
    case Operator::kSub:
      return Value::Float(a - b);
    case Operator::kMul:
      return Value::Float(a * b);
    case Operator::kPow: {
      if (a == 0 && b < 0) return ValueError("0.0 cannot be raised to a negative power");
      const double result = std::pow(a, b);
      if (std::isnan(result) && !std::isnan(a) && !std::isnan(b))
        return ValueError("complex numbers are not supported");
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
        return ValueError("float power is too large");
      return Value::Float(result);
    }
    default:
      break;
  }
  if (b == 0) return ValueError("float division by zero");
  if (op == Operator::kDiv) return Value::Float(a / b);
  // As CPython's float_divmod: the remainder takes the divisor's sign.
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (op == Operator::kMod) return Value::Float(rest);
  if (quotient == 0) return Value::Float(std::copysign(0.0, a / b));
  double floor = std::floor(quotient);
  if (quotient - floor > 0.5) floor += 1;
  return Value::Float(floor);
}

Result<Value> Concatenate(Env& env, const Value& a, const Value& b) {
  if (a.string()) {
    Value left = a, right = b;
    if (a.markup() != b.markup()) {
      ASSIGN_OR_RETURN(left, Escape(env, a));
      ASSIGN_OR_RETURN(right, Escape(env, b));
    }
    const size_t size = left.str().size() + right.str().size();
    RETURN_IF_ERROR(env.Room(size));
    RETURN_IF_ERROR(env.StepBytes(size));
    std::string text;
    text.reserve(size);
    text.append(left.str()).append(right.str());
    return env.String(std::move(text)).WithMarkup(left.markup());
  }
  const size_t size = a.items().size() + b.items().size();
  RETURN_IF_ERROR(env.Room(size * sizeof(Value)));
  RETURN_IF_ERROR(env.StepBytes(size * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(size);
  items.insert(items.end(), a.items().begin(), a.items().end());
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.is(Kind::kList) ? env.heap.List(std::move(items)) : env.heap.Tuple(std::move(items));
}

Result<Value> Repeat(Env& env, const Value& v, int64_t times) {
  const size_t unit = v.string() ? v.str().size() : v.items().size() * sizeof(Value);
  const size_t count = times <= 0 ? 0 : static_cast<size_t>(times);
  if (unit != 0 && count > env.limits().memory_bytes / unit)
    return env.Room(env.limits().memory_bytes + 1);
  RETURN_IF_ERROR(env.Room(unit * count));
  RETURN_IF_ERROR(env.StepBytes(unit * count));
  if (v.string()) {
    std::string text;
    text.reserve(unit * count);
    for (size_t i = 0; i < count && unit != 0; ++i) text.append(v.str());
    return env.String(std::move(text)).WithMarkup(v.markup());
  }
  std::vector<Value> items;
  items.reserve(v.items().size() * count);
  for (size_t i = 0; i < count && unit != 0; ++i)
    items.insert(items.end(), v.items().begin(), v.items().end());
  return v.is(Kind::kList) ? env.heap.List(std::move(items)) : env.heap.Tuple(std::move(items));
}

// -1, 0, 1; 2 where one is NaN.
int CompareNumbers(const Value& a, const Value& b) {
  const auto wide = [](const Value& v) {
    return v.integral() ? static_cast<long double>(v.as_int())
                        : static_cast<long double>(v.as_double());
  };
  if (a.integral() && b.integral()) return (a.as_int() > b.as_int()) - (a.as_int() < b.as_int());
  const long double x = wide(a), y = wide(b);
  if (std::isnan(x) || std::isnan(y)) return 2;
  return (x > y) - (x < y);
}

Result<bool> Ordered(Env& env, Operator op, const Value& a, const Value& b) {
  const Env::Depth depth(&env);
  RETURN_IF_ERROR(depth.status());
  RETURN_IF_ERROR(env.Step());
  int order = 0;
  if (a.number() && b.number()) {
    order = CompareNumbers(a, b);
    if (order == 2) return false;
  } else if (a.string() && b.string()) {
    RETURN_IF_ERROR(env.StepBytes(std::min(a.str().size(), b.str().size())));
    order = a.str().compare(b.str());  // bytes of UTF-8 sort as code points do
  } else if (a.sequence() && a.kind() == b.kind()) {
    const auto &x = a.items(), &y = b.items();
    size_t i = 0;
    for (; i < x.size() && i < y.size(); ++i) {
      ASSIGN_OR_RETURN(const bool equal, Equal(env, x[i], y[i]));
      if (!equal) return Ordered(env, op, x[i], y[i]);
    }
    order = x.size() < y.size() ? -1 : x.size() > y.size();
  } else {
    if (a.undefined()) return UndefinedError(a);
    if (b.undefined()) return UndefinedError(b);
    return TypeError(std::string("'") + Symbol(op) + "' not supported between instances of " +
                     QuotedType(a) + " and " + QuotedType(b));
  }
  switch (op) {
    case Operator::kLt:
      return order < 0;
    case Operator::kLe:
      return order <= 0;
    case Operator::kGt:
      return order > 0;
    default:
      return order >= 0;
  }
}

Result<bool> Contains(Env& env, const Value& needle, const Value& haystack) {
  switch (haystack.kind()) {
    case Kind::kString:
      if (!needle.string()) {
        return TypeError("'in <string>' requires string as left operand, not " +
                         std::string(TypeName(needle)));
      }
      RETURN_IF_ERROR(env.StepBytes(haystack.str().size()));
      return FindText(haystack.str(), needle.str()) != std::string_view::npos;
    case Kind::kDict: {
      uint64_t hash = 0;
      if (!HashKey(needle, &hash)) return TypeError("unhashable type: " + QuotedType(needle));
      return haystack.dict().Find(needle, hash) != nullptr;
    }
    case Kind::kDictView:
      if (haystack.as<DictViewObj>()->which == ViewKind::kKeys) {
        return Contains(env, needle, haystack.as<DictViewObj>()->dict);
      }
      break;
    case Kind::kRange: {
      if (!needle.number()) return false;
      const RangeObj& range = *haystack.as<RangeObj>();
      const double d = needle.as_double();
      if (!needle.integral() && (d != std::floor(d) || std::fabs(d) > 1e18)) return false;
      const int64_t i = needle.integral() ? needle.as_int() : static_cast<int64_t>(d);
      if (range.length == 0) return false;
      const int64_t last = range.start + (range.length - 1) * range.step;
      if (i < std::min(range.start, last) || i > std::max(range.start, last)) return false;
      return (i - range.start) % range.step == 0;
    }
    default:
      if (!IsIterable(haystack)) {
        return TypeError("argument of type " + QuotedType(haystack) + " is not iterable");
      }
  }
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, haystack));
  Value item;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) return false;
    ASSIGN_OR_RETURN(const bool equal, Equal(env, needle, item));
    if (equal) return true;
  }
}

Result<bool> EqualItems(Env& env, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    ASSIGN_OR_RETURN(const bool equal, Equal(env, a[i], b[i]));
    if (!equal) return false;
  }
  return true;
}

}  // namespace

Status UndefinedError(const Value& undefined) {
  return InvalidArgument(undefined.missing() ? "a value is undefined"
                                             : undefined.as<UndefinedObj>()->message);
}

Result<bool> Truthy(Env& env, const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return v.as_int() != 0;
    case Kind::kFloat:
      return v.as_double() != 0;
    case Kind::kString:
      return !v.str().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !v.items().empty();
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kLoop: {
      ASSIGN_OR_RETURN(const int64_t length, Length(env, v));
      return length != 0;
    }
    default:
      return true;
  }
}

Result<bool> Equal(Env& env, const Value& a, const Value& b) {
  const Env::Depth depth(&env);
  RETURN_IF_ERROR(depth.status());
  RETURN_IF_ERROR(env.Step());
  if (a.number() && b.number()) return CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kString:
      RETURN_IF_ERROR(env.StepBytes(a.str().size() == b.str().size() ? a.str().size() : 0));
      return a.str() == b.str();
    case Kind::kUndefined:
      return true;
    case Kind::kList:
    case Kind::kTuple:
      if (a.object() == b.object()) return true;
      return EqualItems(env, a.items(), b.items());
    case Kind::kDict: {
      if (a.object() == b.object()) return true;
      if (a.dict().entries.size() != b.dict().entries.size()) return false;
      for (const auto& entry : a.dict().entries) {
        const Value* other = b.dict().Find(entry.key, entry.hash);
        if (other == nullptr) return false;
        ASSIGN_OR_RETURN(const bool equal, Equal(env, entry.value, *other));
        if (!equal) return false;
      }
      return true;
    }
    case Kind::kRange: {
      const RangeObj &x = *a.as<RangeObj>(), &y = *b.as<RangeObj>();
      if (x.length != y.length) return false;
      return x.length == 0 || (x.start == y.start && (x.length == 1 || x.step == y.step));
    }
    default:
      return a.Same(b);
  }
}

Result<bool> Compare(Env& env, Operator op, const Value& a, const Value& b) {
  switch (op) {
    case Operator::kEq:
      return Equal(env, a, b);
    case Operator::kNe: {
      ASSIGN_OR_RETURN(const bool equal, Equal(env, a, b));
      return !equal;
    }
    case Operator::kIn:
      return Contains(env, a, b);
    case Operator::kNotIn: {
      ASSIGN_OR_RETURN(const bool contained, Contains(env, a, b));
      return !contained;
    }
    default:
      return Ordered(env, op, a, b);
  }
}

Result<Value> Arithmetic(Env& env, Operator op, const Value& a, const Value& b) {
  if (a.integral() && b.integral()) return IntArithmetic(op, a.as_int(), b.as_int());
  if (a.number() && b.number()) return FloatArithmetic(op, a.as_double(), b.as_double());
  if (op == Operator::kMod && a.string()) return PercentFormat(env, a, b);
  const bool alike = (a.string() && b.string()) || (a.sequence() && a.kind() == b.kind());
  if (op == Operator::kAdd && alike) return Concatenate(env, a, b);
  if (op == Operator::kMul) {
    if ((a.string() || a.sequence()) && b.integral()) return Repeat(env, a, b.as_int());
    if ((b.string() || b.sequence()) && a.integral()) return Repeat(env, b, a.as_int());
  }
  const auto set_like = [](const Value& v) {
    return v.is(Kind::kDictView) && v.as<DictViewObj>()->which != ViewKind::kValues;
  };
  if (op == Operator::kSub && (set_like(a) || set_like(b)))
    return Unsupported("'-' on the keys or items of a dict gives a set, which is not supported");
  return BadOperands(op, a, b);
}

Result<Value> Negate(Env&, const Value& v) {
  if (v.is(Kind::kFloat)) return Value::Float(-v.as_double());
  if (v.integral()) return IntArithmetic(Operator::kSub, 0, v.as_int());
  if (v.undefined()) return UndefinedError(v);
  return TypeError("bad operand type for unary -: " + QuotedType(v));
}

Result<Value> Plus(Env&, const Value& v) {
  if (v.is(Kind::kFloat)) return v;
  if (v.integral()) return Value::Int(v.as_int());
  if (v.undefined()) return UndefinedError(v);
  return TypeError("bad operand type for unary +: " + QuotedType(v));
}

Status StableSort(Env& env, std::vector<Value> keys, std::vector<Value>* values, bool reverse) {
  // Our own merge sort, since a comparison may fail.
  const size_t n = keys.size();
  RETURN_IF_ERROR(env.Room(3 * n * sizeof(Value)));
  std::vector<size_t> order(n), merged(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      const size_t middle = std::min(begin + width, n), end = std::min(begin + 2 * width, n);
      size_t left = begin, right = middle;
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const Value &l = keys[order[left]], &r = keys[order[right]];
          ASSIGN_OR_RETURN(take_right, reverse ? Ordered(env, Operator::kLt, l, r)
                                               : Ordered(env, Operator::kLt, r, l));
        }
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  std::vector<Value> sorted(n);
  for (size_t i = 0; i < n; ++i) sorted[i] = (*values)[order[i]];
  *values = std::move(sorted);
  return OkStatus();
}

Result<Value> Escape(Env& env, const Value& v) {
  if (v.string() && v.markup()) return v;
  ASSIGN_OR_RETURN(const Value text, ToText(env, v));
  RETURN_IF_ERROR(env.Room(6 * text.str().size()));
  RETURN_IF_ERROR(env.StepBytes(text.str().size()));
  std::string out;
  for (const char c : text.str()) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return env.String(std::move(out)).WithMarkup(true);
}

}  // namespace galen::jinja
