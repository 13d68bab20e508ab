// The values of the template language: Python's, as far as templates can see them.
//
// A Value is 16 bytes and trivially copied. Everything larger lives in a Heap, which frees all of
// it at once when a rendering ends: no reference counts, so cycles through namespaces neither leak
// nor recurse on destruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen::jinja {

enum class Kind : uint8_t {
  kMissing,  // internal: an unbound name, an argument that was not passed
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,
  kRange,
  kIterator,
  kNamespace,
  kMacro,
  kFunction,
  kMethod,
  kLoop,
  kCycler,
  kJoiner,
};

struct Object {
  virtual ~Object() = default;
};

struct StringObj;
struct SequenceObj;
struct DictObj;
struct UndefinedObj;

class Value {
 public:
  Value() : kind_(Kind::kMissing) { integer_ = 0; }
  static Value None() { return Value(Kind::kNone); }
  static Value Bool(bool b) {
    Value v(Kind::kBool);
    v.integer_ = b;
    return v;
  }
  static Value Int(int64_t i) {
    Value v(Kind::kInt);
    v.integer_ = i;
    return v;
  }
  static Value Float(double d) {
    Value v(Kind::kFloat);
    v.real_ = d;
    return v;
  }
  static Value Of(Kind kind, Object* object) {
    Value v(kind);
    v.object_ = object;
    return v;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool missing() const { return kind_ == Kind::kMissing; }
  bool undefined() const { return kind_ == Kind::kUndefined; }
  bool none() const { return kind_ == Kind::kNone; }
  bool string() const { return kind_ == Kind::kString; }
  // A list or a tuple.
  bool sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  // int or bool, which Python counts among the ints.
  bool integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool number() const { return integral() || kind_ == Kind::kFloat; }

  bool as_bool() const { return integer_ != 0; }
  int64_t as_int() const { return integer_; }  // for kInt and kBool
  double as_double() const {                   // for any number
    return kind_ == Kind::kFloat ? real_ : static_cast<double>(integer_);
  }
  Object* object() const { return object_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(object_);
  }

  std::string_view str() const;             // for kString
  const StringObj& string_obj() const;      // for kString
  const std::vector<Value>& items() const;  // for kList and kTuple
  const DictObj& dict() const;              // for kDict

  // A string that `safe` or `escape` marked as HTML: joining it with plain text escapes that text.
  bool markup() const { return markup_; }
  Value WithMarkup(bool markup) const {
    Value v = *this;
    v.markup_ = markup;
    return v;
  }

  // Same object, or the same simple value: Python's `is`.
  bool Same(const Value& other) const;

 private:
  explicit Value(Kind kind) : kind_(kind) { integer_ = 0; }
  Kind kind_;
  bool markup_ = false;
  union {
    int64_t integer_;
    double real_;
    Object* object_;
  };
};

struct StringObj : Object {
  explicit StringObj(std::string s);
  std::string text;
  int64_t length;  // in code points; an invalid byte counts as one
  bool ascii() const { return length == static_cast<int64_t>(text.size()); }
};

// A list or tuple; never changed once a template can see it (the sandbox forbids append and its
// like).
struct SequenceObj : Object {
  explicit SequenceObj(std::vector<Value> v) : items(std::move(v)) {}
  std::vector<Value> items;
  int depth = 1;       // levels of nesting
  uint64_t hash = 0;   // of a tuple, once asked for
  bool group = false;  // a pair from `groupby`, with the names grouper and list
};

struct UndefinedObj : Object {
  explicit UndefinedObj(std::string m) : message(std::move(m)) {}
  std::string message;  // what is said when the template uses the value
};

// Insertion-ordered, with Python's equality of keys (1 == 1.0 == True).
struct DictObj : Object {
  struct Entry {
    Value key;
    Value value;
    uint64_t hash;
  };
  // Keys must be hashable (see HashKey). `Set` replaces the value of an equal key in place.
  const Value* Find(const Value& key, uint64_t hash) const;
  const Value* Find(std::string_view key) const;
  void Set(const Value& key, uint64_t hash, const Value& value);

  std::vector<Entry> entries;
  int depth = 1;

 private:
  int64_t Index(const Value& key, uint64_t hash) const;
  std::unordered_multimap<uint64_t, uint32_t> index_;  // filled from kIndexFrom entries on
};

enum class ViewKind : uint8_t { kKeys, kValues, kItems };
struct DictViewObj : Object {
  DictViewObj(Value d, ViewKind k) : dict(d), which(k) {}
  Value dict;
  ViewKind which;
};

struct RangeObj : Object {
  int64_t start = 0, stop = 0, step = 1, length = 0;
  Value At(int64_t i) const { return Value::Int(start + i * step); }
};

// The one kind of object that a template may change.
struct NamespaceObj : Object {
  DictObj attributes;
};

struct CyclerObj : Object {
  std::vector<Value> items;
  size_t position = 0;
};

struct JoinerObj : Object {
  std::string separator;
  bool used = false;
};

// A method of a string, list or dict together with its object.
struct MethodObj : Object {
  MethodObj(Value s, std::string_view n) : self(s), name(n) {}
  Value self;
  std::string_view name;  // static storage: a name from the method tables
};

// Hash of a key; equal keys have equal hashes. False where Python says "unhashable type".
bool HashKey(const Value& key, uint64_t* hash);
// Equality of two hashable keys.
bool KeysEqual(const Value& a, const Value& b);

// "str", "int", "NoneType", ... as in Python's messages.
std::string_view TypeName(const Value& v);
std::string QuotedType(const Value& v);  // "'str'"

// Owns objects. `used` counts bytes roughly; whoever allocates checks it against a limit.
class Heap {
 public:
  template <typename T, typename... A>
  T* New(size_t extra_bytes, A&&... arguments) {
    auto owned = std::make_unique<T>(std::forward<A>(arguments)...);
    T* object = owned.get();
    used_ += sizeof(T) + sizeof(void*) + extra_bytes;
    objects_.push_back(std::move(owned));
    return object;
  }
  Value String(std::string s) {
    const size_t bytes = s.size();
    return Value::Of(Kind::kString, New<StringObj>(bytes, std::move(s)));
  }
  Value String(std::string_view s) { return String(std::string(s)); }
  Value String(const char* s) { return String(std::string(s)); }
  Value List(std::vector<Value> items) { return Sequence(Kind::kList, std::move(items)); }
  Value Tuple(std::vector<Value> items) { return Sequence(Kind::kTuple, std::move(items)); }
  // The dict's depth is computed here: fill it first.
  Value Dict(std::unique_ptr<DictObj> dict);
  Value Undefined(std::string message) {
    const size_t bytes = message.size();
    return Value::Of(Kind::kUndefined, New<UndefinedObj>(bytes, std::move(message)));
  }
  size_t used() const { return used_; }
  void Count(size_t bytes) { used_ += bytes; }

 private:
  Value Sequence(Kind kind, std::vector<Value> items);
  std::vector<std::unique_ptr<Object>> objects_;
  size_t used_ = 0;
};

// Levels of nesting of a list, tuple or dict; 0 for anything else.
int NestingDepth(const Value& v);

}  // namespace galen::jinja
