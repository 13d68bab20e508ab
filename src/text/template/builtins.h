// Filters (`x | f`), tests (`x is f`) and global functions, found by name.
#pragma once

#include <string_view>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// positional[0] of a filter or test is the value it is applied to.
using BuiltinFunction = Result<Value> (*)(Env& env, Args& arguments);

struct Builtin {
  std::string_view name;
  BuiltinFunction call;
};

struct FunctionObj : Object {
  explicit FunctionObj(const Builtin* b) : builtin(b) {}
  const Builtin* builtin;
};

// Null where there is none of that name.
const Builtin* FindFilter(std::string_view name);
const Builtin* FindTest(std::string_view name);
const Builtin* FindFunction(std::string_view name);

}  // namespace galen::jinja
