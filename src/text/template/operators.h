// Python's operators on template values.
#pragma once

#include "base/status.h"
#include "text/template/ast.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// The error of using an undefined value: "'x' is undefined".
Status UndefinedError(const Value& undefined);

Result<bool> Truthy(Env& env, const Value& v);
Result<bool> Equal(Env& env, const Value& a, const Value& b);
// kEq ... kNotIn.
Result<bool> Compare(Env& env, Operator op, const Value& a, const Value& b);
// kAdd ... kPow.
Result<Value> Arithmetic(Env& env, Operator op, const Value& a, const Value& b);
Result<Value> Negate(Env& env, const Value& v);
Result<Value> Plus(Env& env, const Value& v);

// Sorts stably by Python's `<`; `keys` runs parallel to `values`. Fails where two keys cannot be
// compared.
Status StableSort(Env& env, std::vector<Value> keys, std::vector<Value>* values, bool reverse);

// Replaces & < > " ' by character references, unless the value is markup already. The result is
// markup.
Result<Value> Escape(Env& env, const Value& v);

}  // namespace galen::jinja
