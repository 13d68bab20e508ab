// Python's two ways to format text: `"%s" % x` and `"{}".format(x)`.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// `format % arguments`; a tuple gives several arguments, a dict named ones.
Result<Value> PercentFormat(Env& env, const Value& format, const Value& arguments);

// `format.format(...)`.
Result<Value> BraceFormat(Env& env, const Value& format, const Args& arguments);

// The text of a double with `precision` digits: type is one of e E f F g G. `alternate` keeps the
// point and zeros.
Result<std::string> FormatDouble(Env& env, double d, char type, int64_t precision, bool alternate);

}  // namespace galen::jinja
