// Filters that give generators: nothing happens, and nothing fails, before somebody asks for an
// item.
#include <utility>

#include "text/template/access.h"
#include "text/template/arguments.h"
#include "text/template/builtin_list.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

template <typename T, typename... A>
Value Lazy(Env& env, A&&... arguments) {
  return Value::Of(Kind::kIterator, env.heap.New<T>(0, std::forward<A>(arguments)...));
}

Result<const Builtin*> Named(const Builtin* (*find)(std::string_view), const char* what,
                             const Value& name) {
  const Builtin* found = name.string() ? find(name.str()) : nullptr;
  if (found != nullptr) return found;
  return InvalidArgument(std::string("No ") + what + " named " +
                         (name.string() ? ReprText(name.str()) : "that") + ".");
}

// A generator over another iterable, which is not touched if it is false.
struct Generator : IteratorObj {
  explicit Generator(Value s) : source(s) {}

  Result<bool> Next(Env& env, Value* item) final {
    // A chain of generators recurses here.
    const Env::Depth depth(&env);
    RETURN_IF_ERROR(depth.status());
    RETURN_IF_ERROR(env.Step());
    if (done) return false;
    if (it == nullptr) {
      ASSIGN_OR_RETURN(const bool truthy, Truthy(env, source));
      if (!truthy && only_truthy) {
        done = true;
        return false;
      }
      RETURN_IF_ERROR(Prepare(env));
      ASSIGN_OR_RETURN(it, Iterate(env, source));
    }
    ASSIGN_OR_RETURN(const bool more, Produce(env, item));
    done = !more;
    return more;
  }
  virtual Status Prepare(Env&) { return OkStatus(); }
  virtual Result<bool> Produce(Env& env, Value* item) = 0;

  Value source;
  IteratorObj* it = nullptr;
  bool done = false;
  bool only_truthy = true;
};

struct MapGenerator : Generator {
  MapGenerator(Value s, Args a) : Generator(s), arguments(std::move(a)) {}

  Status Prepare(Env&) override {
    if (!arguments.positional.empty()) {
      ASSIGN_OR_RETURN(filter, Named(FindFilter, "filter", arguments.positional[0]));
      return OkStatus();
    }
    bool found = false;
    for (const auto& [name, value] : arguments.named) {
      if (name == "attribute") {
        attribute = value;
        found = true;
      } else if (name == "default") {
        fallback = value;
      } else {
        return TypeError("Unexpected keyword argument " + ReprText(name));
      }
    }
    return found ? OkStatus() : TypeError("map requires a filter argument");
  }

  Result<bool> Produce(Env& env, Value* item) override {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, item));
    if (!more) return false;
    if (filter == nullptr) {
      ASSIGN_OR_RETURN(*item, GetPath(env, *item, attribute, fallback));
    } else {
      Args call = arguments;
      call.positional[0] = *item;
      ASSIGN_OR_RETURN(*item, filter->call(env, call));
    }
    return true;
  }

  Args arguments;
  const Builtin* filter = nullptr;
  Value attribute, fallback;
};

struct SelectGenerator : Generator {
  SelectGenerator(Value s, Args a, bool k, bool by)
      : Generator(s), arguments(std::move(a)), keep(k), by_attribute(by) {}

  Status Prepare(Env&) override {
    auto& rest = arguments.positional;
    if (by_attribute) {
      if (rest.empty()) return TypeError("Missing parameter for attribute name");
      attribute = rest[0];
      rest.erase(rest.begin());
    }
    if (!rest.empty()) {
      ASSIGN_OR_RETURN(test, Named(FindTest, "test", rest[0]));
    }
    return OkStatus();
  }

  Result<bool> Produce(Env& env, Value* item) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, it->Next(env, item));
      if (!more) return false;
      ASSIGN_OR_RETURN(Value tested, GetPath(env, *item, attribute));
      if (test != nullptr) {
        Args call = arguments;
        call.positional[0] = tested;
        ASSIGN_OR_RETURN(tested, test->call(env, call));
      }
      ASSIGN_OR_RETURN(const bool passed, Truthy(env, tested));
      if (passed == keep) return true;
    }
  }

  Args arguments;
  bool keep, by_attribute;
  Value attribute;
  const Builtin* test = nullptr;
};

struct UniqueGenerator : Generator {
  UniqueGenerator(Value s, bool c, Value a) : Generator(s), case_sensitive(c), attribute(a) {
    only_truthy = false;
  }
  Result<bool> Produce(Env& env, Value* item) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, it->Next(env, item));
      if (!more) return false;
      ASSIGN_OR_RETURN(Value key, GetPath(env, *item, attribute));
      if (key.string() && !case_sensitive) key = env.String(ToLower(key.str()));
      uint64_t hash = 0;
      if (!HashKey(key, &hash)) return TypeError("unhashable type: " + QuotedType(key));
      if (seen.Find(key, hash) != nullptr) continue;
      seen.Set(key, hash, Value::None());
      env.heap.Count(sizeof(DictObj::Entry));
      return true;
    }
  }
  bool case_sensitive;
  Value attribute;
  DictObj seen;
};

struct ItemsGenerator : Generator {
  explicit ItemsGenerator(Value s) : Generator(s) { only_truthy = false; }
  Status Prepare(Env& env) override {
    if (source.undefined()) return OkStatus();
    if (!source.is(Kind::kDict)) return TypeError("Can only get item pairs from a mapping.");
    source = Value::Of(Kind::kDictView, env.heap.New<DictViewObj>(0, source, ViewKind::kItems));
    return OkStatus();
  }
  Result<bool> Produce(Env& env, Value* item) override { return it->Next(env, item); }
};

struct BatchGenerator : Generator {
  BatchGenerator(Value s, Value c, Value f) : Generator(s), count(c), fill(f) {
    only_truthy = false;
  }
  Result<bool> Produce(Env& env, Value* out) override {
    // Python compares the length with `count`, whatever that is, so that only a number of the right
    // size cuts.
    const int64_t size = count.integral() ? count.as_int() : -1;
    Value item;
    while (size < 0 || static_cast<int64_t>(row.size()) != size || row.empty()) {
      ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
      if (!more) break;
      if (size == 0 && !started) {
        started = true;
        row.push_back(item);
        *out = env.heap.List({});
        return true;
      }
      row.push_back(item);
    }
    if (row.empty()) return false;
    const int64_t missing = size - static_cast<int64_t>(row.size());
    if (!fill.none() && missing > 0) {
      RETURN_IF_ERROR(env.Room(static_cast<size_t>(std::min<int64_t>(missing, int64_t{1} << 40)) *
                               sizeof(Value)));
      row.resize(static_cast<size_t>(size), fill);
    }
    *out = env.heap.List(std::exchange(row, {}));
    return true;
  }
  Value count, fill;
  std::vector<Value> row;
  bool started = false;
};

struct SliceGenerator : Generator {
  SliceGenerator(Value s, int64_t n, Value f) : Generator(s), slices(n), fill(f) {
    only_truthy = false;
  }
  Status Prepare(Env& env) override {
    ASSIGN_OR_RETURN(items, Collect(env, source));
    source = env.heap.List({});
    if (slices == 0) return ValueError("integer division or modulo by zero");
    return OkStatus();
  }
  Result<bool> Produce(Env& env, Value* out) override {
    if (number >= slices) return false;
    const int64_t length = static_cast<int64_t>(items.size());
    const int64_t extra = length % slices;
    const int64_t size = length / slices + (number < extra ? 1 : 0);
    std::vector<Value> part(items.begin() + begin, items.begin() + begin + size);
    begin += size;
    if (!fill.none() && number >= extra) part.push_back(fill);
    ++number;
    *out = env.heap.List(std::move(part));
    return true;
  }
  int64_t slices;
  Value fill;
  std::vector<Value> items;
  int64_t number = 0, begin = 0;
};

Result<Value> Select(Env& env, Args& arguments, bool keep, bool by_attribute) {
  if (arguments.positional.empty()) return TypeError("select() misses its value");
  const Value source = arguments.positional[0];
  Args rest = std::move(arguments);
  rest.positional.erase(rest.positional.begin());
  return Lazy<SelectGenerator>(env, source, std::move(rest), keep, by_attribute);
}

}  // namespace

Result<Value> FilterMap(Env& env, Args& arguments) {
  if (arguments.positional.empty()) return TypeError("map() misses its value");
  const Value source = arguments.positional[0];
  Args rest = std::move(arguments);
  rest.positional.erase(rest.positional.begin());
  return Lazy<MapGenerator>(env, source, std::move(rest));
}

Result<Value> FilterSelect(Env& env, Args& a) { return Select(env, a, true, false); }
Result<Value> FilterReject(Env& env, Args& a) { return Select(env, a, false, false); }
Result<Value> FilterSelectAttr(Env& env, Args& a) { return Select(env, a, true, true); }
Result<Value> FilterRejectAttr(Env& env, Args& a) { return Select(env, a, false, true); }

Result<Value> FilterUnique(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a,
                   Bind<3>("unique", arguments, {"value", "case_sensitive", "attribute"}, 1));
  bool case_sensitive = false;
  if (!a[1].missing()) {
    ASSIGN_OR_RETURN(case_sensitive, Truthy(env, a[1]));
  }
  return Lazy<UniqueGenerator>(env, a[0], case_sensitive, a[2]);
}

Result<Value> FilterItems(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("items", arguments, {"value"}, 1));
  return Lazy<ItemsGenerator>(env, a[0]);
}

Result<Value> FilterBatch(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a,
                   Bind<3>("batch", arguments, {"value", "linecount", "fill_with"}, 2));
  return Lazy<BatchGenerator>(env, a[0], a[1], a[2].missing() ? Value::None() : a[2]);
}

Result<Value> FilterSlice(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<3>("slice", arguments, {"value", "slices", "fill_with"}, 2));
  ASSIGN_OR_RETURN(const int64_t slices, Integer(a[1]));
  return Lazy<SliceGenerator>(env, a[0], slices, a[2].missing() ? Value::None() : a[2]);
}

}  // namespace galen::jinja
