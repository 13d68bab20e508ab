// The methods of str, list, tuple and dict.
#pragma once

#include <string_view>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

enum class MethodAccess { kNone, kAllowed, kForbidden };
// Whether values of this kind have the method. Forbidden are those that would change a list or
// dict. `stored` receives the name in static storage.
MethodAccess FindMethod(const Value& self, std::string_view name, std::string_view* stored);

Result<Value> CallMethod(Env& env, const MethodObj& method, Args arguments);

// The methods of one type; called by CallMethod.
Result<Value> CallStringMethod(Env& env, const Value& self, std::string_view name, Args& arguments);
Result<Value> CallContainerMethod(Env& env, const Value& self, std::string_view name,
                                  Args& arguments);

// str.replace; a negative count replaces all.
Result<Value> ReplaceText(Env& env, const Value& text, std::string_view from, std::string_view to,
                          int64_t count);

}  // namespace galen::jinja
