#include "text/template/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

constexpr size_t kIndexFrom = 9;  // smaller dicts are searched in a line

uint64_t Mix(uint64_t h, uint64_t x) { return (h ^ x) * 0x9E3779B97F4A7C15ull + (h >> 29); }

}  // namespace

StringObj::StringObj(std::string s) : text(std::move(s)), length(CountChars(text)) {}

std::string_view Value::str() const { return as<StringObj>()->text; }
const StringObj& Value::string_obj() const { return *as<StringObj>(); }
const std::vector<Value>& Value::items() const { return as<SequenceObj>()->items; }
const DictObj& Value::dict() const { return *as<DictObj>(); }

bool Value::Same(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return integer_ == other.integer_;
    case Kind::kFloat:
      return real_ == other.real_;
    default:
      return object_ == other.object_;
  }
}

bool HashKey(const Value& key, uint64_t* hash) {
  switch (key.kind()) {
    case Kind::kMissing:
    case Kind::kList:
    case Kind::kDict:
    case Kind::kDictView:
      return false;
    case Kind::kNone:
      *hash = 0x4E6F6E65;
      return true;
    case Kind::kUndefined:
      *hash = 0x556E6466;
      return true;
    case Kind::kBool:
    case Kind::kInt:
      *hash = std::hash<int64_t>()(key.as_int());
      return true;
    case Kind::kFloat: {
      const double d = key.as_double();
      if (d == std::floor(d) && std::fabs(d) < 9.2e18) {
        *hash = std::hash<int64_t>()(static_cast<int64_t>(d));
      } else {
        *hash = std::hash<double>()(d);
      }
      return true;
    }
    case Kind::kString:
      *hash = std::hash<std::string_view>()(key.str());
      return true;
    case Kind::kTuple: {
      auto* tuple = key.as<SequenceObj>();
      if (tuple->hash == 0) {
        uint64_t h = 0x7475706C;
        for (const Value& item : tuple->items) {
          uint64_t inner = 0;
          if (!HashKey(item, &inner)) return false;
          h = Mix(h, inner);
        }
        tuple->hash = h | 1;
      }
      *hash = tuple->hash;
      return true;
    }
    default:
      *hash = reinterpret_cast<uintptr_t>(key.object());
      return true;
  }
}

namespace {

// Tuples may share their parts, so that comparing them part by part takes exponential time. After
// this many parts, equal 64-bit hashes are taken for equality.
constexpr int kMaxComparedParts = 10'000;

bool KeysEqualWithin(const Value& a, const Value& b, int* parts) {
  if (a.number() && b.number()) {
    if (a.integral() && b.integral()) return a.as_int() == b.as_int();
    return static_cast<long double>(a.integral() ? a.as_int() : a.as_double()) ==
           static_cast<long double>(b.integral() ? b.as_int() : b.as_double());
  }
  if (a.kind() != b.kind()) return false;
  if (a.string()) return a.str() == b.str();
  if (a.undefined()) return true;
  if (a.is(Kind::kTuple)) {
    if (a.object() == b.object()) return true;
    if (a.as<SequenceObj>()->hash != b.as<SequenceObj>()->hash) return false;
    if (a.items().size() != b.items().size()) return false;
    for (size_t i = 0; i < a.items().size(); ++i) {
      if (++*parts > kMaxComparedParts) return true;
      if (!KeysEqualWithin(a.items()[i], b.items()[i], parts)) return false;
    }
    return true;
  }
  return a.Same(b);
}

}  // namespace

bool KeysEqual(const Value& a, const Value& b) {
  int parts = 0;
  return KeysEqualWithin(a, b, &parts);
}

int64_t DictObj::Index(const Value& key, uint64_t hash) const {
  if (entries.size() < kIndexFrom) {
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].hash == hash && KeysEqual(entries[i].key, key)) return static_cast<int64_t>(i);
    }
    return -1;
  }
  const auto [first, last] = index_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (KeysEqual(entries[it->second].key, key)) return it->second;
  }
  return -1;
}

const Value* DictObj::Find(const Value& key, uint64_t hash) const {
  const int64_t i = Index(key, hash);
  return i < 0 ? nullptr : &entries[static_cast<size_t>(i)].value;
}

const Value* DictObj::Find(std::string_view key) const {
  const uint64_t hash = std::hash<std::string_view>()(key);
  const auto matches = [&](const Entry& e) {
    return e.hash == hash && e.key.string() && e.key.str() == key;
  };
  if (entries.size() < kIndexFrom) {
    for (const Entry& e : entries) {
      if (matches(e)) return &e.value;
    }
    return nullptr;
  }
  const auto [first, last] = index_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (matches(entries[it->second])) return &entries[it->second].value;
  }
  return nullptr;
}

void DictObj::Set(const Value& key, uint64_t hash, const Value& value) {
  if (const int64_t i = Index(key, hash); i >= 0) {
    entries[static_cast<size_t>(i)].value = value;
    return;
  }
  entries.push_back({key, value, hash});
  if (entries.size() == kIndexFrom) {
    for (size_t i = 0; i < entries.size(); ++i) {
      index_.emplace(entries[i].hash, static_cast<uint32_t>(i));
    }
  } else if (entries.size() > kIndexFrom) {
    index_.emplace(hash, static_cast<uint32_t>(entries.size() - 1));
  }
}

std::string_view TypeName(const Value& v) {
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return v.markup() ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kDictView:
      switch (v.as<DictViewObj>()->which) {
        case ViewKind::kKeys:
          return "dict_keys";
        case ViewKind::kValues:
          return "dict_values";
        case ViewKind::kItems:
          return "dict_items";
      }
      return "dict_items";
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kMacro:
      return "Macro";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
  }
  return "object";
}

std::string QuotedType(const Value& v) { return std::string("'").append(TypeName(v)).append("'"); }

int NestingDepth(const Value& v) {
  switch (v.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return v.as<SequenceObj>()->depth;
    case Kind::kDict:
      return v.as<DictObj>()->depth;
    case Kind::kDictView:
      return 1 + NestingDepth(v.as<DictViewObj>()->dict);
    default:
      return 0;
  }
}

Value Heap::Sequence(Kind kind, std::vector<Value> items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, NestingDepth(item));
  const size_t bytes = items.size() * sizeof(Value);
  auto* object = New<SequenceObj>(bytes, std::move(items));
  object->depth = depth + 1;
  return Value::Of(kind, object);
}

Value Heap::Dict(std::unique_ptr<DictObj> dict) {
  int depth = 0;
  for (const auto& entry : dict->entries) {
    depth = std::max({depth, NestingDepth(entry.key), NestingDepth(entry.value)});
  }
  dict->depth = depth + 1;
  used_ += sizeof(DictObj) + dict->entries.size() * (sizeof(DictObj::Entry) + 24);
  DictObj* object = dict.get();
  objects_.push_back(std::move(dict));
  return Value::Of(Kind::kDict, object);
}

}  // namespace galen::jinja
