// `object.name`, `object[key]` and slices, as the sandbox allows them.
#pragma once

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// `object.name`: an attribute or method, else the item of that name, else undefined. `name` is a
// string.
Result<Value> GetAttribute(Env& env, const Value& object, const Value& name);
// The attribute or method alone, without items; else undefined.
Result<Value> GetAttributeOnly(Env& env, const Value& object, const Value& name);
// `object[key]`: the item, else the attribute of that name, else undefined.
Result<Value> GetItem(Env& env, const Value& object, const Value& key);
// Bounds may be kMissing or None.
Result<Value> GetSlice(Env& env, const Value& object, const Value& start, const Value& stop,
                       const Value& step);
// The same, but undefined where the object has no slices or a bound is no integer.
Result<Value> GetSliceOrUndefined(Env& env, const Value& object, const Value& start,
                                  const Value& stop, const Value& step);

// Follows a path as filters take it ("function.name", "0.text", 3). Where `fallback` is given it
// replaces undefined.
Result<Value> GetPath(Env& env, const Value& object, const Value& path,
                      const Value& fallback = Value());

}  // namespace galen::jinja
