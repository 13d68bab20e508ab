#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "text/template/access.h"
#include "text/template/arguments.h"
#include "text/template/builtin_list.h"
#include "text/template/format.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

// Removes the underscores that Python allows between digits; nothing where one stands elsewhere.
std::optional<std::string> WithoutUnderscores(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '_') {
      out += s[i];
      continue;
    }
    const auto alnum = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (i == 0 || i + 1 == s.size() || !alnum(s[i - 1]) || !alnum(s[i + 1])) return std::nullopt;
  }
  return out;
}

// int(text, base): nothing where Python raises ValueError; an error beyond 64 bits.
Result<std::optional<int64_t>> ParseInt(std::string_view text, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::optional<int64_t>();
  auto plain = WithoutUnderscores(Strip(text));
  if (!plain || plain->empty()) return std::optional<int64_t>();
  std::string_view s = *plain;
  const bool negative = s[0] == '-';
  if (s[0] == '-' || s[0] == '+') s.remove_prefix(1);
  if (s.size() > 2 && s[0] == '0') {
    const char x = static_cast<char>(s[1] | 0x20);
    const int prefix = x == 'x' ? 16 : x == 'o' ? 8 : x == 'b' ? 2 : 0;
    if (prefix != 0 && (base == 0 || base == prefix)) {
      base = prefix;
      s.remove_prefix(2);
    }
  }
  if (base == 0) {
    if (s.size() > 1 && s[0] == '0' && s.find_first_not_of('0') != std::string_view::npos)
      return std::optional<int64_t>();
    base = 10;
  }
  const std::string signed_text = (negative ? "-" : "") + std::string(s);
  if (s.empty() || s[0] == '-') return std::optional<int64_t>();
  int64_t value = 0;
  const char* end = signed_text.data() + signed_text.size();
  const auto parsed = std::from_chars(signed_text.data(), end, value, static_cast<int>(base));
  if (parsed.ec == std::errc::result_out_of_range && parsed.ptr == end) {
    return ValueError("an integer does not fit into 64 bits");
  }
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::optional<int64_t>();
  return std::optional<int64_t>(value);
}

// float(text): nothing where Python raises ValueError.
std::optional<double> ParseFloat(std::string_view text) {
  auto plain = WithoutUnderscores(Strip(text));
  if (!plain || plain->empty()) return std::nullopt;
  std::string lower = ToLower(*plain);
  std::string_view s = lower;
  if (s[0] == '-' || s[0] == '+') s.remove_prefix(1);
  const double sign = lower[0] == '-' ? -1 : 1;
  if (s == "inf" || s == "infinity") return sign * HUGE_VAL;
  if (s == "nan") return std::nan("");
  // strtod would also take hexadecimal and the like.
  if (s.empty() || s.find_first_not_of("0123456789.e+-") != std::string_view::npos)
    return std::nullopt;
  if (s[0] == '-' || s[0] == '+' || s[0] == 'e') return std::nullopt;
  const std::string digits(s);
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size()) return std::nullopt;
  return sign * value;
}

Result<Value> TruncateToInt(double d) {
  if (!(std::fabs(d) < 9223372036854775808.0))
    return ValueError("cannot convert a float to a 64-bit integer");
  return Value::Int(static_cast<int64_t>(d));
}

Result<double> RoundDouble(Env& env, double d, int64_t digits) {
  if (!std::isfinite(d) || digits > 400) return d;
  if (digits < -400) return std::copysign(0.0, d);
  if (digits >= 0) {
    // Correct rounding by way of the decimal text, as CPython does it.
    ASSIGN_OR_RETURN(const std::string text, FormatDouble(env, d, 'f', digits, false));
    return std::strtod(text.c_str(), nullptr);
  }
  // To tens, hundreds, ...: shorten the scientific form.
  if (d == 0) return d;
  const int exponent = static_cast<int>(std::floor(std::log10(std::fabs(d))));
  const int64_t kept = exponent + digits;
  if (kept < -1) return std::copysign(0.0, d);
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(d / scale) * scale;
}

}  // namespace

Result<Value> FilterUnsupported(Env&, Args&) {
  return Unsupported("this filter of Jinja is not supported in chat templates");
}

Result<Value> FilterAbs(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("abs", arguments, {"x"}, 1));
  if (a[0].is(Kind::kFloat)) return Value::Float(std::fabs(a[0].as_double()));
  if (!a[0].integral()) return TypeError("bad operand type for abs(): " + QuotedType(a[0]));
  if (a[0].as_int() < 0) return Negate(env, a[0]);
  return Value::Int(a[0].as_int());
}

Result<Value> FilterAttr(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("attr", arguments, {"obj", "name"}, 2));
  if (!a[1].string()) return TypeError("attr() wants the attribute's name as a string");
  return GetAttributeOnly(env, a[0], a[1]);
}

Result<Value> FilterDefault(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a,
                   Bind<3>("default", arguments, {"value", "default_value", "boolean"}, 1));
  bool use_default = a[0].undefined();
  if (!use_default && !a[2].missing()) {
    ASSIGN_OR_RETURN(const bool boolean, Truthy(env, a[2]));
    if (boolean) {
      ASSIGN_OR_RETURN(const bool truthy, Truthy(env, a[0]));
      use_default = !truthy;
    }
  }
  if (!use_default) return a[0];
  return a[1].missing() ? env.String("") : a[1];
}

Result<Value> FilterLength(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("length", arguments, {"obj"}, 1));
  ASSIGN_OR_RETURN(const int64_t length, Length(env, a[0]));
  return Value::Int(length);
}

Result<Value> FilterInt(Env&, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<3>("int", arguments, {"value", "default", "base"}, 1));
  const Value fallback = a[1].missing() ? Value::Int(0) : a[1];
  if (a[0].undefined()) return UndefinedError(a[0]);
  if (a[0].integral()) return Value::Int(a[0].as_int());
  if (a[0].is(Kind::kFloat)) {
    if (std::isnan(a[0].as_double())) return fallback;
    return TruncateToInt(a[0].as_double());
  }
  if (!a[0].string()) return fallback;
  ASSIGN_OR_RETURN(const int64_t base, IntegerOr(a[2], 10));
  ASSIGN_OR_RETURN(const std::optional<int64_t> value, ParseInt(a[0].str(), base));
  if (value) return Value::Int(*value);
  const std::optional<double> real = ParseFloat(a[0].str());
  if (!real || !std::isfinite(*real)) return fallback;
  return TruncateToInt(*real);
}

Result<Value> FilterFloat(Env&, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("float", arguments, {"value", "default"}, 1));
  if (a[0].undefined()) return UndefinedError(a[0]);
  if (a[0].number()) return Value::Float(a[0].as_double());
  if (a[0].string()) {
    if (const auto real = ParseFloat(a[0].str())) return Value::Float(*real);
  }
  return a[1].missing() ? Value::Float(0) : a[1];
}

Result<Value> FilterRound(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<3>("round", arguments, {"value", "precision", "method"}, 1));
  ASSIGN_OR_RETURN(const int64_t precision, IntegerOr(a[1], 0));
  std::string_view method = "common";
  if (!a[2].missing()) {
    if (!a[2].string()) return ValueError("method must be common, ceil or floor");
    method = a[2].str();
  }
  if (method != "common" && method != "ceil" && method != "floor") {
    return ValueError("method must be common, ceil or floor");
  }
  if (a[0].undefined() && method != "common") return UndefinedError(a[0]);
  if (!a[0].number())
    return TypeError("type " + std::string(TypeName(a[0])) + " doesn't define __round__ method");
  if (method == "common") {
    if (a[0].is(Kind::kFloat)) {
      ASSIGN_OR_RETURN(const double rounded, RoundDouble(env, a[0].as_double(), precision));
      return Value::Float(rounded);
    }
    if (precision >= 0) return Value::Int(a[0].as_int());
    if (precision < -18) return Value::Int(0);
    int64_t unit = 1;
    for (int64_t i = precision; i < 0; ++i) unit *= 10;
    // Half to even, in integers.
    const int64_t n = a[0].as_int();
    int64_t down = n / unit, rest = n % unit;
    if (rest < 0) {
      rest += unit;
      --down;
    }
    const bool up = rest > unit / 2 || (rest == unit / 2 && down % 2 != 0);
    return Arithmetic(env, Operator::kMul, Value::Int(down + up), Value::Int(unit));
  }
  ASSIGN_OR_RETURN(const Value power,
                   Arithmetic(env, Operator::kPow, Value::Int(10), Value::Int(precision)));
  ASSIGN_OR_RETURN(const Value scaled, Arithmetic(env, Operator::kMul, a[0], power));
  const double d =
      method == "ceil" ? std::ceil(scaled.as_double()) : std::floor(scaled.as_double());
  ASSIGN_OR_RETURN(const Value whole, TruncateToInt(d));
  return Arithmetic(env, Operator::kDiv, whole, power);
}

Result<Value> FilterFileSize(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("filesizeformat", arguments, {"value", "binary"}, 1));
  Args value;
  value.positional = {a[0], Value::None()};
  ASSIGN_OR_RETURN(const Value number, FilterFloat(env, value));
  if (number.none()) return ValueError("filesizeformat wants a number");
  bool binary = false;
  if (!a[1].missing()) {
    ASSIGN_OR_RETURN(binary, Truthy(env, a[1]));
  }
  const double bytes = number.as_double();
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return env.String("1 Byte");
  if (bytes < base) {
    ASSIGN_OR_RETURN(const Value whole, TruncateToInt(bytes));
    return env.String(std::to_string(whole.as_int()) + " Bytes");
  }
  double unit = base;
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  for (size_t i = 0;; ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == kPrefixes.size()) {
      ASSIGN_OR_RETURN(std::string text, FormatDouble(env, base * bytes / unit, 'f', 1, false));
      text += ' ';
      text += binary && i == 0 ? 'K' : kPrefixes[i];
      return env.String(text + (binary ? "iB" : "B"));
    }
  }
}

Result<Value> FilterToJson(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(
      const auto a,
      Bind<5>("tojson", arguments, {"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1));
  JsonOptions options;
  if (!a[1].missing()) {
    ASSIGN_OR_RETURN(options.ensure_ascii, Truthy(env, a[1]));
  }
  if (!a[4].missing()) {
    ASSIGN_OR_RETURN(options.sort_keys, Truthy(env, a[4]));
  }
  if (!a[2].missing() && !a[2].none()) {
    options.pretty = true;
    options.item_separator = ",";
    if (a[2].string()) {
      options.indent = a[2].str();
    } else {
      ASSIGN_OR_RETURN(const int64_t width, Integer(a[2]));
      if (width > static_cast<int64_t>(env.limits().memory_bytes))
        return env.Room(env.limits().memory_bytes + 1);
      RETURN_IF_ERROR(env.Room(width > 0 ? static_cast<size_t>(width) : 0));
      options.indent.assign(width > 0 ? static_cast<size_t>(width) : 0, ' ');
    }
  }
  if (!a[3].missing() && !a[3].none()) {
    ASSIGN_OR_RETURN(const std::vector<Value> pair, Collect(env, a[3]));
    if (pair.size() != 2 || !pair[0].string() || !pair[1].string())
      return ValueError("separators must be two strings");
    options.item_separator = pair[0].str();
    options.key_separator = pair[1].str();
  }
  std::string out;
  RETURN_IF_ERROR(AppendJson(env, a[0], options, &out));
  return env.String(std::move(out));
}

}  // namespace galen::jinja
