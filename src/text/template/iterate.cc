#include "text/template/iterate.h"

#include <utility>

#include "text/template/operators.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

struct SequenceIterator : IteratorObj {
  explicit SequenceIterator(Value s) : sequence(s) {}
  Result<bool> Next(Env& env, Value* item) override {
    RETURN_IF_ERROR(env.Step());
    if (position >= sequence.items().size()) return false;
    *item = sequence.items()[position++];
    return true;
  }
  Value sequence;
  size_t position = 0;
};

struct TextIterator : IteratorObj {
  explicit TextIterator(Value t) : text(t) {}
  Result<bool> Next(Env& env, Value* item) override {
    RETURN_IF_ERROR(env.Step());
    const std::string_view s = text.str();
    if (position >= s.size()) return false;
    const size_t begin = position;
    NextChar(s, &position);
    *item = env.String(s.substr(begin, position - begin));
    return true;
  }
  Value text;
  size_t position = 0;
};

struct DictIterator : IteratorObj {
  DictIterator(Value d, ViewKind w) : dict(d), which(w) {}
  Result<bool> Next(Env& env, Value* item) override {
    RETURN_IF_ERROR(env.Step());
    if (position >= dict.dict().entries.size()) return false;
    const auto& entry = dict.dict().entries[position++];
    *item = which == ViewKind::kKeys     ? entry.key
            : which == ViewKind::kValues ? entry.value
                                         : Pair(env, entry.key, entry.value);
    return true;
  }
  Value dict;
  ViewKind which;
  size_t position = 0;
};

struct RangeIterator : IteratorObj {
  explicit RangeIterator(const RangeObj* r) : range(r) {}
  Result<bool> Next(Env& env, Value* item) override {
    RETURN_IF_ERROR(env.Step());
    if (position >= range->length) return false;
    *item = range->At(position++);
    return true;
  }
  const RangeObj* range;
  int64_t position = 0;
};

struct EmptyIterator : IteratorObj {
  Result<bool> Next(Env&, Value*) override { return false; }
};

}  // namespace

Value Pair(Env& env, const Value& key, const Value& value) { return env.heap.Tuple({key, value}); }

bool IsIterable(const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kIterator:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

Result<IteratorObj*> Iterate(Env& env, const Value& iterable) {
  RETURN_IF_ERROR(env.Step());
  switch (iterable.kind()) {
    case Kind::kUndefined:
      return env.heap.New<EmptyIterator>(0);
    case Kind::kString:
      return env.heap.New<TextIterator>(0, iterable);
    case Kind::kList:
    case Kind::kTuple:
      return env.heap.New<SequenceIterator>(0, iterable);
    case Kind::kDict:
      return env.heap.New<DictIterator>(0, iterable, ViewKind::kKeys);
    case Kind::kDictView:
      return env.heap.New<DictIterator>(0, iterable.as<DictViewObj>()->dict,
                                        iterable.as<DictViewObj>()->which);
    case Kind::kRange:
      return env.heap.New<RangeIterator>(0, iterable.as<RangeObj>());
    case Kind::kIterator:
    case Kind::kLoop:
      return iterable.as<IteratorObj>();
    default:
      return TypeError(QuotedType(iterable) + " object is not iterable");
  }
}

Result<std::vector<Value>> Collect(Env& env, const Value& iterable) {
  if (iterable.sequence()) {
    RETURN_IF_ERROR(env.StepBytes(iterable.items().size() * sizeof(Value)));
    return iterable.items();
  }
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, iterable));
  std::vector<Value> items;
  Value item;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) return items;
    items.push_back(item);
    if (items.size() % 4096 == 0) RETURN_IF_ERROR(env.Room(2 * items.size() * sizeof(Value)));
  }
}

bool HasLength(const Value& v) { return IsIterable(v) && !v.is(Kind::kIterator); }

Result<int64_t> Length(Env& env, const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return v.string_obj().length;
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(v.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(v.dict().entries.size());
    case Kind::kDictView:
      return static_cast<int64_t>(v.as<DictViewObj>()->dict.dict().entries.size());
    case Kind::kRange:
      return v.as<RangeObj>()->length;
    case Kind::kLoop:
      return v.as<LoopObj>()->Count(env);
    default:
      return TypeError("object of type '" + std::string(TypeName(v)) + "' has no len()");
  }
}

Result<bool> LoopObj::Peek(Env& env, Value* out) {
  // An exhausted source is asked again, as Python does.
  if (!has_ahead) {
    ASSIGN_OR_RETURN(has_ahead, source->Next(env, &ahead));
  }
  if (has_ahead) *out = ahead;
  return has_ahead;
}

Result<bool> LoopObj::Next(Env& env, Value* out) {
  const Env::Depth depth(&env);
  RETURN_IF_ERROR(depth.status());
  if (has_ahead) {
    has_ahead = false;
    *out = ahead;
  } else {
    ASSIGN_OR_RETURN(const bool more, source->Next(env, out));
    if (!more) return false;
  }
  ++index0;
  before = item;
  item = *out;
  return true;
}

Result<int64_t> LoopObj::Count(Env& env) {
  if (length >= 0) return length;
  if (!iterable.missing() && HasLength(iterable)) {
    ASSIGN_OR_RETURN(length, Length(env, iterable));
    return length;
  }
  std::vector<Value> rest;
  Value next;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source->Next(env, &next));
    if (!more) break;
    rest.push_back(next);
    if (rest.size() % 4096 == 0) RETURN_IF_ERROR(env.Room(2 * rest.size() * sizeof(Value)));
  }
  length = static_cast<int64_t>(rest.size()) + index0 + 1 + (has_ahead ? 1 : 0);
  source = env.heap.New<SequenceIterator>(0, env.heap.List(std::move(rest)));
  return length;
}

Result<Value> LoopObj::Attribute(Env& env, std::string_view name) {
  if (name == "index") return Value::Int(index0 + 1);
  if (name == "index0") return Value::Int(index0);
  if (name == "first") return Value::Bool(index0 == 0);
  if (name == "depth") return Value::Int(depth0 + 1);
  if (name == "depth0") return Value::Int(depth0);
  if (name == "last") {
    Value next;
    ASSIGN_OR_RETURN(const bool more, Peek(env, &next));
    return Value::Bool(!more);
  }
  if (name == "nextitem") {
    Value next;
    ASSIGN_OR_RETURN(const bool more, Peek(env, &next));
    return more ? next : env.Undefined("there is no next item");
  }
  if (name == "previtem") {
    return index0 == 0 || before.missing() ? env.Undefined("there is no previous item") : before;
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    ASSIGN_OR_RETURN(const int64_t count, Count(env));
    return Value::Int(name == "length"     ? count
                      : name == "revindex" ? count - index0
                                           : count - index0 - 1);
  }
  return Value();
}

Result<Value> LoopObj::Cycle(Env&, const std::vector<Value>& items) const {
  if (items.empty()) return TypeError("no items for cycling given");
  return items[static_cast<size_t>(index0) % items.size()];
}

Result<bool> LoopObj::Changed(Env& env, std::vector<Value> values) {
  const Value now = env.heap.Tuple(std::move(values));
  if (!last_changed.missing()) {
    ASSIGN_OR_RETURN(const bool same, Equal(env, last_changed, now));
    if (same) return false;
  }
  last_changed = now;
  return true;
}

}  // namespace galen::jinja
