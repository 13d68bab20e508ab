// Template source to syntax tree.
#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "text/template/ast.h"

namespace galen::jinja {

// Fails with kInvalidArgument and the line on a syntax error, and with kUnsupported on tags that
// need other templates (extends, include, import) or HTML (autoescape).
Result<std::shared_ptr<const Syntax>> ParseTemplate(std::string_view source);

}  // namespace galen::jinja
