// str(), repr() and json.dumps() of template values.
#pragma once

#include <string>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// str(v), as a string value; a string is returned as it is.
Result<Value> ToText(Env& env, const Value& v);
// Appends str(v) or repr(v); the text counts against the memory limit while it grows.
Status AppendText(Env& env, const Value& v, std::string* out);
Status AppendRepr(Env& env, const Value& v, std::string* out);

struct JsonOptions {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool pretty = false;
  std::string indent;  // of one level, where pretty
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
// json.dumps(v). Fails on values that JSON does not have (undefined, namespaces, ...).
Status AppendJson(Env& env, const Value& v, const JsonOptions& options, std::string* out);

}  // namespace galen::jinja
