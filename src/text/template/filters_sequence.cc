#include <algorithm>
#include <utility>

#include "text/template/access.h"
#include "text/template/arguments.h"
#include "text/template/builtin_list.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

Result<bool> TruthyOr(Env& env, const Value& v, bool fallback) {
  if (v.missing()) return fallback;
  return Truthy(env, v);
}

// Lower case where v is a string and case does not matter.
Result<Value> FoldCase(Env& env, const Value& v, bool case_sensitive) {
  if (case_sensitive || !v.string()) return v;
  RETURN_IF_ERROR(env.StepBytes(v.str().size()));
  return env.String(ToLower(v.str()));
}

// The value that `sort` compares: a list of the attributes named in "a,b.c", or of the item itself.
Result<Value> SortKey(Env& env, const Value& item, const Value& attribute, bool case_sensitive) {
  std::vector<Value> keys;
  if (attribute.string()) {
    std::string_view rest = attribute.str();
    for (bool more = true; more;) {
      const size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      ASSIGN_OR_RETURN(const Value value, GetPath(env, item, env.String(rest.substr(0, comma))));
      ASSIGN_OR_RETURN(const Value key, FoldCase(env, value, case_sensitive));
      keys.push_back(key);
      if (more) rest = rest.substr(comma + 1);
    }
  } else {
    ASSIGN_OR_RETURN(const Value value, GetPath(env, item, attribute));
    ASSIGN_OR_RETURN(const Value key, FoldCase(env, value, case_sensitive));
    keys.push_back(key);
  }
  return env.heap.List(std::move(keys));
}

Result<Value> Extreme(Env& env, std::string_view name, const Args& arguments, Operator better) {
  ASSIGN_OR_RETURN(const auto a,
                   Bind<3>(name, arguments, {"value", "case_sensitive", "attribute"}, 1));
  ASSIGN_OR_RETURN(const bool case_sensitive, TruthyOr(env, a[1], false));
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, a[0]));
  Value best, best_key, item;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) break;
    ASSIGN_OR_RETURN(const Value value, GetPath(env, item, a[2]));
    ASSIGN_OR_RETURN(const Value key, FoldCase(env, value, case_sensitive));
    bool take = best.missing();
    if (!take) {
      ASSIGN_OR_RETURN(take, Compare(env, better, key, best_key));
    }
    if (take) {
      best = item;
      best_key = key;
    }
  }
  return best.missing() ? env.Undefined("No aggregated item, sequence was empty.") : best;
}

struct ReversedIterator : IteratorObj {
  explicit ReversedIterator(std::vector<Value> i) : items(std::move(i)) {}
  Result<bool> Next(Env& env, Value* item) override {
    RETURN_IF_ERROR(env.Step());
    if (items.empty()) return false;
    *item = items.back();
    items.pop_back();
    return true;
  }
  std::vector<Value> items;
};

// What Python's reversed() takes.
bool IsReversible(const Value& v) {
  return IsIterable(v) && !v.is(Kind::kIterator) && !v.is(Kind::kLoop);
}

}  // namespace

Result<Value> FilterList(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("list", arguments, {"value"}, 1));
  ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, a[0]));
  return env.heap.List(std::move(items));
}

Result<Value> FilterFirst(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("first", arguments, {"seq"}, 1));
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, a[0]));
  Value item;
  ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
  return more ? item : env.Undefined("No first item, sequence was empty.");
}

Result<Value> FilterLast(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("last", arguments, {"seq"}, 1));
  if (!IsReversible(a[0])) return TypeError(QuotedType(a[0]) + " object is not reversible");
  ASSIGN_OR_RETURN(const int64_t length, Length(env, a[0]));
  if (length == 0) return env.Undefined("No last item, sequence was empty.");
  if (a[0].is(Kind::kDict) || a[0].is(Kind::kDictView)) {
    ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(env, a[0]));
    return items.back();
  }
  return GetItem(env, a[0], Value::Int(length - 1));
}

Result<Value> FilterReverse(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("reverse", arguments, {"value"}, 1));
  if (a[0].string()) return GetSlice(env, a[0], Value(), Value(), Value::Int(-1));
  ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, a[0]));
  if (IsReversible(a[0])) {
    const size_t bytes = items.size() * sizeof(Value);
    return Value::Of(Kind::kIterator, env.heap.New<ReversedIterator>(bytes, std::move(items)));
  }
  std::reverse(items.begin(), items.end());
  return env.heap.List(std::move(items));
}

Result<Value> FilterSort(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<4>("sort", arguments,
                                         {"value", "reverse", "case_sensitive", "attribute"}, 1));
  ASSIGN_OR_RETURN(const bool reverse, TruthyOr(env, a[1], false));
  ASSIGN_OR_RETURN(const bool case_sensitive, TruthyOr(env, a[2], false));
  ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, a[0]));
  std::vector<Value> keys;
  for (const Value& item : items) {
    ASSIGN_OR_RETURN(const Value key, SortKey(env, item, a[3], case_sensitive));
    keys.push_back(key);
  }
  RETURN_IF_ERROR(StableSort(env, std::move(keys), &items, reverse));
  return env.heap.List(std::move(items));
}

Result<Value> FilterDictSort(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a,
                   Bind<4>("dictsort", arguments, {"value", "case_sensitive", "by", "reverse"}, 1));
  ASSIGN_OR_RETURN(const bool case_sensitive, TruthyOr(env, a[1], false));
  ASSIGN_OR_RETURN(const bool reverse, TruthyOr(env, a[3], false));
  bool by_value = false;
  if (!a[2].missing()) {
    if (!a[2].string() || (a[2].str() != "key" && a[2].str() != "value")) {
      return ValueError("You can only sort by either \"key\" or \"value\"");
    }
    by_value = a[2].str() == "value";
  }
  if (a[0].undefined()) return UndefinedError(a[0]);
  if (!a[0].is(Kind::kDict))
    return TypeError(QuotedType(a[0]) + " object has no attribute 'items'");
  std::vector<Value> items, keys;
  for (const auto& entry : a[0].dict().entries) {
    RETURN_IF_ERROR(env.Step());
    items.push_back(Pair(env, entry.key, entry.value));
    ASSIGN_OR_RETURN(const Value key,
                     FoldCase(env, by_value ? entry.value : entry.key, case_sensitive));
    keys.push_back(key);
  }
  RETURN_IF_ERROR(StableSort(env, std::move(keys), &items, reverse));
  return env.heap.List(std::move(items));
}

Result<Value> FilterMin(Env& env, Args& a) { return Extreme(env, "min", a, Operator::kLt); }
Result<Value> FilterMax(Env& env, Args& a) { return Extreme(env, "max", a, Operator::kGt); }

Result<Value> FilterSum(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<3>("sum", arguments, {"iterable", "attribute", "start"}, 1));
  Value total = a[2].missing() ? Value::Int(0) : a[2];
  if (total.string()) return TypeError("sum() can't sum strings [use ''.join(seq) instead]");
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, a[0]));
  Value item;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) return total;
    ASSIGN_OR_RETURN(item, GetPath(env, item, a[1]));
    ASSIGN_OR_RETURN(total, Arithmetic(env, Operator::kAdd, total, item));
  }
}

Result<Value> FilterGroupBy(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<4>("groupby", arguments,
                                         {"value", "attribute", "default", "case_sensitive"}, 2));
  ASSIGN_OR_RETURN(const bool case_sensitive, TruthyOr(env, a[3], false));
  ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, a[0]));
  const auto key_of = [&](const Value& item) -> Result<Value> {
    ASSIGN_OR_RETURN(const Value value, GetPath(env, item, a[1], a[2]));
    return FoldCase(env, value, case_sensitive);
  };
  std::vector<Value> keys;
  for (const Value& item : items) {
    ASSIGN_OR_RETURN(const Value key, key_of(item));
    keys.push_back(key);
  }
  RETURN_IF_ERROR(StableSort(env, std::move(keys), &items, false));
  std::vector<Value> groups, members;
  Value group_key;
  const auto close = [&]() -> Status {
    if (members.empty()) return OkStatus();
    ASSIGN_OR_RETURN(const Value shown, GetPath(env, members[0], a[1], a[2]));
    const Value group = env.heap.Tuple({shown, env.heap.List(std::move(members))});
    group.as<SequenceObj>()->group = true;
    groups.push_back(group);
    members.clear();
    return OkStatus();
  };
  for (const Value& item : items) {
    ASSIGN_OR_RETURN(const Value key, key_of(item));
    bool same = !members.empty();
    if (same) {
      ASSIGN_OR_RETURN(same, Equal(env, group_key, key));
    }
    if (!same) {
      RETURN_IF_ERROR(close());
      group_key = key;
    }
    members.push_back(item);
  }
  RETURN_IF_ERROR(close());
  return env.heap.List(std::move(groups));
}

}  // namespace galen::jinja
