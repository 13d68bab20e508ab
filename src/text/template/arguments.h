// Arguments of built-in functions, bound to names as Python does it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// Fills `out[i]` with the argument for names[i]; kMissing where it is absent. Fails on too many,
// unknown or doubled arguments and where one of the first `required` is absent.
Status BindArguments(std::string_view function, const Args& arguments,
                     const std::string_view* names, size_t count, size_t required, Value* out);

template <size_t N>
Result<std::array<Value, N>> Bind(std::string_view function, const Args& arguments,
                                  const std::array<std::string_view, N>& names, size_t required) {
  std::array<Value, N> out;
  RETURN_IF_ERROR(BindArguments(function, arguments, names.data(), N, required, out.data()));
  return out;
}

// As Bind for functions that take no names: at least `required` and at most N arguments.
template <size_t N>
Result<std::array<Value, N>> BindPositional(std::string_view function, const Args& arguments,
                                            size_t required) {
  if (!arguments.named.empty())
    return TypeError(std::string(function) + "() takes no keyword arguments");
  const std::array<std::string_view, N> names = {};
  return Bind<N>(function, arguments, names, required);
}

// An int (or bool) argument; `fallback` where it is missing.
Result<int64_t> IntegerOr(const Value& v, int64_t fallback);
Result<int64_t> Integer(const Value& v);
// A str argument.
Result<std::string_view> Text(const Value& v);

}  // namespace galen::jinja
