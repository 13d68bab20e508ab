// Checks and annotations that need the whole tree: unknown filters, `break` outside of loops, which
// names a scope hides, what is constant.
#pragma once

#include "base/status.h"
#include "text/template/ast.h"

namespace galen::jinja {

// Fills HiddenNames, ForStmt::uses_loop, MacroStmt::uses_* and ApplyExpr::builtin, and replaces
// constant expressions.
Status Analyze(Syntax* syntax);

}  // namespace galen::jinja
