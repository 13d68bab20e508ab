#include "text/template/access.h"

#include <algorithm>
#include <string>
#include <utility>

#include "text/template/iterate.h"
#include "text/template/macro.h"
#include "text/template/methods.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

Result<Value> NoSuchItem(Env& env, const Value& object, const Value& key) {
  const std::string type = object.none() ? "None" : std::string(TypeName(object)) + " object";
  if (key.string())
    return env.Undefined(ReprText(type) + " has no attribute " + ReprText(key.str()));
  std::string text;
  RETURN_IF_ERROR(AppendRepr(env, key, &text));
  return env.Undefined(type + " has no element " + text);
}

Value Unsafe(Env& env, const Value& object, std::string_view name) {
  return env.Undefined("access to attribute " + ReprText(name) + " of '" +
                       std::string(TypeName(object)) + "' object is unsafe.");
}

Result<Value> MacroAttribute(Env& env, const MacroObj& macro, std::string_view name) {
  const MacroStmt& s = *macro.statement;
  if (name == "name") return macro.name.empty() ? Value::None() : env.String(macro.name);
  if (name == "catch_kwargs") return Value::Bool(s.uses_kwargs);
  if (name == "catch_varargs") return Value::Bool(s.uses_varargs);
  if (name == "caller") return Value::Bool(s.uses_caller);
  return Value();
}

// Python's getattr(object, name): kMissing where it raises AttributeError.
Result<Value> Attribute(Env& env, const Value& object, std::string_view name) {
  if (object.undefined()) return UndefinedError(object);
  if (object.is(Kind::kNamespace)) {
    const Value* found = object.as<NamespaceObj>()->attributes.Find(name);
    return found == nullptr ? Value() : *found;
  }
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__"))
    return Unsafe(env, object, name);
  std::string_view stored;
  switch (FindMethod(object, name, &stored)) {
    case MethodAccess::kAllowed:
      return Value::Of(Kind::kMethod, env.heap.New<MethodObj>(0, object, stored));
    case MethodAccess::kForbidden:
      return Unsafe(env, object, name);
    case MethodAccess::kNone:
      break;
  }
  switch (object.kind()) {
    case Kind::kTuple:
      if (!object.as<SequenceObj>()->group) return Value();
      if (name == "grouper") return object.items()[0];
      if (name == "list") return object.items()[1];
      return Value();
    case Kind::kRange: {
      const RangeObj& range = *object.as<RangeObj>();
      if (name == "start") return Value::Int(range.start);
      if (name == "stop") return Value::Int(range.stop);
      if (name == "step") return Value::Int(range.step);
      return Value();
    }
    case Kind::kLoop:
      return object.as<LoopObj>()->Attribute(env, name);
    case Kind::kMacro:
      return MacroAttribute(env, *object.as<MacroObj>(), name);
    case Kind::kCycler: {
      const CyclerObj& cycler = *object.as<CyclerObj>();
      return name == "current" ? cycler.items[cycler.position] : Value();
    }
    default:
      return Value();
  }
}

// Python's object[key]: kMissing where it raises TypeError, KeyError or IndexError.
Result<Value> Item(Env& env, const Value& object, const Value& key) {
  if (object.undefined()) return UndefinedError(object);
  if (object.is(Kind::kDict)) {
    uint64_t hash = 0;
    if (!HashKey(key, &hash)) return Value();
    const Value* found = object.dict().Find(key, hash);
    return found == nullptr ? Value() : *found;
  }
  const bool indexed = object.string() || object.sequence() || object.is(Kind::kRange);
  if (!indexed || !key.integral()) return Value();
  ASSIGN_OR_RETURN(const int64_t length, Length(env, object));
  int64_t index = key.as_int();
  if (index < 0) index += length;
  if (index < 0 || index >= length) return Value();
  if (object.sequence()) return object.items()[static_cast<size_t>(index)];
  if (object.is(Kind::kRange)) return object.as<RangeObj>()->At(index);
  const StringObj& text = object.string_obj();
  if (text.ascii()) {
    return env.String(text.text.substr(static_cast<size_t>(index), 1)).WithMarkup(object.markup());
  }
  RETURN_IF_ERROR(env.StepBytes(text.text.size()));
  size_t pos = ByteOffset(text.text, index);
  const size_t begin = pos;
  NextChar(text.text, &pos);
  return env.String(text.text.substr(begin, pos - begin)).WithMarkup(object.markup());
}

bool HasSlices(const Value& v) { return v.string() || v.sequence() || v.is(Kind::kRange); }
bool IsBound(const Value& v) { return v.missing() || v.none() || v.integral(); }

struct SliceBounds {
  int64_t start = 0, stop = 0, step = 1, count = 0;
};

// As Python's slice.indices(length).
Result<SliceBounds> Resolve(const Value& start, const Value& stop, const Value& step,
                            int64_t length) {
  for (const Value* v : {&start, &stop, &step}) {
    if (!IsBound(*v)) {
      return TypeError("slice indices must be integers or None or have an __index__ method");
    }
  }
  SliceBounds bounds;
  if (step.integral()) bounds.step = step.as_int();
  if (bounds.step == 0) return ValueError("slice step cannot be zero");
  // Steps beyond any length behave alike; clamping them keeps the sums below from overflowing.
  bounds.step = std::clamp<int64_t>(bounds.step, -(length + 1), length + 1);
  const bool back = bounds.step < 0;
  const int64_t low = back ? -1 : 0, high = back ? length - 1 : length;
  const auto clamp = [&](const Value& v, int64_t fallback) {
    if (!v.integral()) return fallback;
    const int64_t i = v.as_int();
    if (i < 0) return i < -length ? low : std::max(i + length, low);
    return std::min(i, high);
  };
  bounds.start = clamp(start, back ? high : low);
  const int64_t end = bounds.stop = clamp(stop, back ? low : high);
  if (back && end < bounds.start) bounds.count = (bounds.start - end - 1) / -bounds.step + 1;
  if (!back && bounds.start < end) bounds.count = (end - bounds.start - 1) / bounds.step + 1;
  return bounds;
}

Value SliceText(Env& env, const StringObj& text, const SliceBounds& b) {
  if (b.count == 0) return env.String("");
  const std::string_view s = text.text;
  if (b.step == 1) {
    const size_t begin = text.ascii() ? static_cast<size_t>(b.start) : ByteOffset(s, b.start);
    const std::string_view rest = s.substr(begin);
    return env.String(
        rest.substr(0, text.ascii() ? static_cast<size_t>(b.count) : ByteOffset(rest, b.count)));
  }
  std::string out;
  if (text.ascii()) {
    for (int64_t i = 0; i < b.count; ++i) out += s[static_cast<size_t>(b.start + i * b.step)];
  } else {
    const std::vector<std::string_view> chars = SplitChars(s);
    for (int64_t i = 0; i < b.count; ++i) out += chars[static_cast<size_t>(b.start + i * b.step)];
  }
  return env.String(std::move(out));
}

}  // namespace

Result<Value> GetAttribute(Env& env, const Value& object, const Value& name) {
  ASSIGN_OR_RETURN(const Value attribute, Attribute(env, object, name.str()));
  if (!attribute.missing()) return attribute;
  ASSIGN_OR_RETURN(const Value item, Item(env, object, name));
  if (!item.missing()) return item;
  return NoSuchItem(env, object, name);
}

Result<Value> GetAttributeOnly(Env& env, const Value& object, const Value& name) {
  ASSIGN_OR_RETURN(const Value attribute, Attribute(env, object, name.str()));
  if (!attribute.missing()) return attribute;
  return NoSuchItem(env, object, name);
}

Result<Value> GetItem(Env& env, const Value& object, const Value& key) {
  ASSIGN_OR_RETURN(const Value item, Item(env, object, key));
  if (!item.missing()) return item;
  if (key.string()) {
    ASSIGN_OR_RETURN(const Value attribute, Attribute(env, object, key.str()));
    if (!attribute.missing()) return attribute;
  }
  return NoSuchItem(env, object, key);
}

Result<Value> GetSlice(Env& env, const Value& object, const Value& start, const Value& stop,
                       const Value& step) {
  if (object.undefined()) return UndefinedError(object);
  if (!HasSlices(object)) return TypeError(QuotedType(object) + " object cannot be sliced");
  ASSIGN_OR_RETURN(const int64_t length, Length(env, object));
  ASSIGN_OR_RETURN(const SliceBounds b, Resolve(start, stop, step, length));
  if (object.string()) {
    RETURN_IF_ERROR(env.StepBytes(object.str().size()));
    return SliceText(env, object.string_obj(), b).WithMarkup(object.markup());
  }
  if (object.is(Kind::kRange)) {
    const RangeObj& range = *object.as<RangeObj>();
    auto* part = env.heap.New<RangeObj>(0);
    const auto at = [&](int64_t index, int64_t* value) {
      return !__builtin_mul_overflow(index, range.step, value) &&
             !__builtin_add_overflow(*value, range.start, value);
    };
    // The step as given, which shows when the range is printed.
    const int64_t given = step.integral() ? step.as_int() : 1;
    if (!at(b.start, &part->start) || !at(b.stop, &part->stop) ||
        __builtin_mul_overflow(given, range.step, &part->step)) {
      return ValueError("an integer does not fit into 64 bits");
    }
    part->length = b.count;
    return Value::Of(Kind::kRange, part);
  }
  RETURN_IF_ERROR(env.StepBytes(static_cast<size_t>(b.count) * sizeof(Value)));
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(b.count));
  for (int64_t i = 0; i < b.count; ++i)
    items.push_back(object.items()[static_cast<size_t>(b.start + i * b.step)]);
  return object.is(Kind::kList) ? env.heap.List(std::move(items))
                                : env.heap.Tuple(std::move(items));
}

Result<Value> GetSliceOrUndefined(Env& env, const Value& object, const Value& start,
                                  const Value& stop, const Value& step) {
  // Python looks at the step first, and a step of zero is an error of its own.
  const bool zero_step = step.integral() && step.as_int() == 0;
  const bool bounds = IsBound(step) && (zero_step || (IsBound(start) && IsBound(stop)));
  if (object.undefined() || (HasSlices(object) && bounds))
    return GetSlice(env, object, start, stop, step);
  return env.Undefined(std::string(TypeName(object)) + " object has no element slice");
}

Result<Value> GetPath(Env& env, const Value& object, const Value& path, const Value& fallback) {
  if (path.none() || path.missing()) return object;
  std::vector<Value> keys;
  if (path.string()) {
    std::string_view rest = path.str();
    for (bool more = true; more;) {
      const size_t dot = rest.find('.');
      more = dot != std::string_view::npos;
      const std::string_view part = rest.substr(0, dot);
      if (more) rest = rest.substr(dot + 1);
      const bool number = !part.empty() && part.size() < 18 &&
                          part.find_first_not_of("0123456789") == std::string_view::npos;
      keys.push_back(number ? Value::Int(std::stoll(std::string(part))) : env.String(part));
    }
  } else {
    keys.push_back(path);
  }
  Value value = object;
  for (const Value& key : keys) {
    RETURN_IF_ERROR(env.Step());
    ASSIGN_OR_RETURN(value, GetItem(env, value, key));
    if (value.undefined() && !fallback.missing() && !fallback.none()) value = fallback;
  }
  return value;
}

}  // namespace galen::jinja
