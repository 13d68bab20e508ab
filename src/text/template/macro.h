// Functions that a template defines.
#pragma once

#include <string_view>

#include "text/template/ast.h"
#include "text/template/value.h"

namespace galen::jinja {

struct Scope;

struct MacroObj : Object {
  std::string_view name;  // empty: the body of a {% call %} block
  const MacroStmt* statement = nullptr;
  Scope* scope = nullptr;  // where it was defined
};

}  // namespace galen::jinja
