// Python's iteration protocol: lazy, one pass.
#pragma once

#include <vector>

#include "base/status.h"
#include "text/template/env.h"
#include "text/template/value.h"

namespace galen::jinja {

// What a generator, a reversed() or an iter() is. A template may hold one and consume it in pieces.
struct IteratorObj : Object {
  // Gives the next item, or false at the end, again and again.
  virtual Result<bool> Next(Env& env, Value* item) = 0;
};

// Fails where Python says "'int' object is not iterable". An iterator gives itself.
Result<IteratorObj*> Iterate(Env& env, const Value& iterable);
bool IsIterable(const Value& v);

// All items, as list(v) does.
Result<std::vector<Value>> Collect(Env& env, const Value& iterable);

// Python's len(). Fails on iterators, numbers and the like.
Result<int64_t> Length(Env& env, const Value& v);
bool HasLength(const Value& v);

// The pair (key, value) of a dict's entry.
Value Pair(Env& env, const Value& key, const Value& value);

// `loop` inside a for loop. Items come from `source`; one of them is looked at ahead where a
// template asks for it.
struct LoopObj : IteratorObj {
  Result<bool> Next(Env& env, Value* item) override;
  // An attribute (index, last, nextitem, ...); kMissing where there is none of that name.
  Result<Value> Attribute(Env& env, std::string_view name);
  Result<int64_t> Count(Env& env);
  Result<bool> Peek(Env& env, Value* item);
  Result<Value> Cycle(Env& env, const std::vector<Value>& items) const;
  Result<bool> Changed(Env& env, std::vector<Value> values);

  Value iterable;  // as given; its length is the loop's where it has one
  IteratorObj* source = nullptr;
  const void* statement = nullptr;  // of a recursive loop
  void* scope = nullptr;            // where a recursive loop was entered
  int64_t index0 = -1;
  int depth0 = 0;
  int64_t length = -1;
  bool has_ahead = false;
  Value ahead, before, item;  // kMissing where there is none
  Value last_changed;
};

}  // namespace galen::jinja
