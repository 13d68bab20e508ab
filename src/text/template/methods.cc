#include "text/template/methods.h"

#include <algorithm>
#include <span>
#include <utility>

#include "text/template/arguments.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"

namespace galen::jinja {
namespace {

constexpr std::string_view kStringMethods[] = {
    "capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
    "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
    "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
    "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
    "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
    "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
    "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
    "swapcase",     "title",       "translate", "upper",      "zfill"};
constexpr std::string_view kListMethods[] = {"copy", "count", "index"};
constexpr std::string_view kListForbidden[] = {"append", "clear",  "extend",  "insert",
                                               "pop",    "remove", "reverse", "sort"};
constexpr std::string_view kTupleMethods[] = {"count", "index"};
constexpr std::string_view kDictMethods[] = {"copy", "fromkeys", "get", "items", "keys", "values"};
constexpr std::string_view kDictForbidden[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kLoopMethods[] = {"cycle", "changed"};
constexpr std::string_view kCyclerMethods[] = {"next", "reset"};

MethodAccess AccessOf(std::span<const std::string_view> allowed,
                      std::span<const std::string_view> forbidden, std::string_view name,
                      std::string_view* stored) {
  if (const auto it = std::find(allowed.begin(), allowed.end(), name); it != allowed.end()) {
    *stored = *it;
    return MethodAccess::kAllowed;
  }
  const bool refused = std::find(forbidden.begin(), forbidden.end(), name) != forbidden.end();
  return refused ? MethodAccess::kForbidden : MethodAccess::kNone;
}

Result<Value> CallLoopMethod(Env& env, LoopObj* loop, std::string_view name, Args& arguments) {
  if (!arguments.named.empty())
    return TypeError(std::string(name) + "() takes no keyword arguments");
  if (name == "cycle") return loop->Cycle(env, arguments.positional);
  ASSIGN_OR_RETURN(const bool changed, loop->Changed(env, std::move(arguments.positional)));
  return Value::Bool(changed);
}

Result<Value> CallCyclerMethod(CyclerObj* cycler, std::string_view name, const Args& arguments) {
  if (!arguments.named.empty() || !arguments.positional.empty())
    return TypeError(std::string(name) + "() takes no arguments");
  if (name == "reset") {
    cycler->position = 0;
    return Value::None();
  }
  const Value item = cycler->items[cycler->position];
  cycler->position = (cycler->position + 1) % cycler->items.size();
  return item;
}

Result<Value> IndexIn(Env& env, const Value& self, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<3>("index", arguments, 1));
  const int64_t length = static_cast<int64_t>(self.items().size());
  const auto bound = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? std::max<int64_t>(i + length, 0) : i, 0, length);
  };
  ASSIGN_OR_RETURN(const int64_t from, IntegerOr(a[1], 0));
  ASSIGN_OR_RETURN(const int64_t to, IntegerOr(a[2], length));
  for (int64_t i = bound(from); i < bound(to); ++i) {
    ASSIGN_OR_RETURN(const bool equal, Equal(env, self.items()[static_cast<size_t>(i)], a[0]));
    if (equal) return Value::Int(i);
  }
  return ValueError("the value is not in the " + std::string(TypeName(self)));
}

Result<Value> CallRangeMethod(Env& env, const Value& self, std::string_view name,
                              const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 1));
  ASSIGN_OR_RETURN(const bool found, Compare(env, Operator::kIn, a[0], self));
  if (name == "count") return Value::Int(found);
  if (!found) return ValueError("the value is not in the range");
  const RangeObj& range = *self.as<RangeObj>();
  const int64_t value = a[0].integral() ? a[0].as_int() : static_cast<int64_t>(a[0].as_double());
  return Value::Int((value - range.start) / range.step);
}

}  // namespace

MethodAccess FindMethod(const Value& self, std::string_view name, std::string_view* stored) {
  switch (self.kind()) {
    case Kind::kString:
      return AccessOf(kStringMethods, {}, name, stored);
    case Kind::kList:
      return AccessOf(kListMethods, kListForbidden, name, stored);
    case Kind::kTuple:
    case Kind::kRange:
      return AccessOf(kTupleMethods, {}, name, stored);
    case Kind::kDict:
      return AccessOf(kDictMethods, kDictForbidden, name, stored);
    case Kind::kLoop:
      return AccessOf(kLoopMethods, {}, name, stored);
    case Kind::kCycler:
      return AccessOf(kCyclerMethods, {}, name, stored);
    default:
      return MethodAccess::kNone;
  }
}

Result<Value> CallMethod(Env& env, const MethodObj& method, Args arguments) {
  RETURN_IF_ERROR(env.Step());
  switch (method.self.kind()) {
    case Kind::kString:
      return CallStringMethod(env, method.self, method.name, arguments);
    case Kind::kRange:
      return CallRangeMethod(env, method.self, method.name, arguments);
    case Kind::kLoop:
      return CallLoopMethod(env, method.self.as<LoopObj>(), method.name, arguments);
    case Kind::kCycler:
      return CallCyclerMethod(method.self.as<CyclerObj>(), method.name, arguments);
    default:
      return CallContainerMethod(env, method.self, method.name, arguments);
  }
}

Result<Value> CallContainerMethod(Env& env, const Value& self, std::string_view name,
                                  Args& arguments) {
  if (self.sequence()) {
    if (name == "index") return IndexIn(env, self, arguments);
    if (name == "copy") {
      ASSIGN_OR_RETURN(const auto none, BindPositional<0>(name, arguments, 0));
      static_cast<void>(none);
      ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, self));
      return env.heap.List(std::move(items));
    }
    ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 1));  // count
    int64_t count = 0;
    for (const Value& item : self.items()) {
      ASSIGN_OR_RETURN(const bool equal, Equal(env, item, a[0]));
      count += equal;
    }
    return Value::Int(count);
  }
  if (name == "get") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<2>(name, arguments, 1));
    uint64_t hash = 0;
    if (!HashKey(a[0], &hash)) return TypeError("unhashable type: " + QuotedType(a[0]));
    const Value* found = self.dict().Find(a[0], hash);
    return found != nullptr ? *found : a[1].missing() ? Value::None() : a[1];
  }
  if (name == "fromkeys") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<2>(name, arguments, 1));
    ASSIGN_OR_RETURN(const std::vector<Value> keys, Collect(env, a[0]));
    auto dict = std::make_unique<DictObj>();
    for (const Value& key : keys) {
      uint64_t hash = 0;
      if (!HashKey(key, &hash)) return TypeError("unhashable type: " + QuotedType(key));
      dict->Set(key, hash, a[1].missing() ? Value::None() : a[1]);
    }
    return env.heap.Dict(std::move(dict));
  }
  ASSIGN_OR_RETURN(const auto none, BindPositional<0>(name, arguments, 0));
  static_cast<void>(none);
  if (name == "copy")
    return self;  // dicts never change, so a copy cannot be told from the original
  const ViewKind which = name == "items"  ? ViewKind::kItems
                         : name == "keys" ? ViewKind::kKeys
                                          : ViewKind::kValues;
  return Value::Of(Kind::kDictView, env.heap.New<DictViewObj>(0, self, which));
}

}  // namespace galen::jinja
