#include "text/template/arguments.h"

namespace galen::jinja {

Status BindArguments(std::string_view function, const Args& arguments,
                     const std::string_view* names, size_t count, size_t required, Value* out) {
  const std::string name(function);
  if (arguments.positional.size() > count) {
    return TypeError(name + "() takes at most " + std::to_string(count) + " arguments (" +
                     std::to_string(arguments.positional.size()) + " given)");
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) out[i] = arguments.positional[i];
  for (const auto& [key, value] : arguments.named) {
    size_t i = 0;
    while (i < count && names[i] != key) ++i;
    if (i == count) return TypeError(name + "() got an unexpected keyword argument '" + key + "'");
    if (!out[i].missing())
      return TypeError(name + "() got multiple values for argument '" + key + "'");
    out[i] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (out[i].missing())
      return TypeError(name + "() misses its argument number " + std::to_string(i + 1));
  }
  return OkStatus();
}

Result<int64_t> Integer(const Value& v) {
  if (v.integral()) return v.as_int();
  return TypeError(QuotedType(v) + " object cannot be interpreted as an integer");
}

Result<int64_t> IntegerOr(const Value& v, int64_t fallback) {
  if (v.missing()) return fallback;
  return Integer(v);
}

Result<std::string_view> Text(const Value& v) {
  if (v.string()) return v.str();
  return TypeError("a str is required, not " + QuotedType(v));
}

}  // namespace galen::jinja
