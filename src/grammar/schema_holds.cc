// Whether a value satisfies assertions: for the values of enum and const, and for names that are
// known beforehand.
#include <algorithm>

#include "grammar/regex.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_expand.h"
#include "text/tokenizer/unicode.h"

namespace galen::grammar {
namespace {

constexpr int kMaxHoldsDepth = 100;

// Equal as JSON values: the order of properties does not count, 1 and 1.0 are the same, and whole
// numbers are compared to their last digit.
bool SameValue(const OrderedJson& a, const OrderedJson& b) {
  if (a.is_number() != b.is_number() || a.is_string() != b.is_string()) return false;
  if (a.is_string()) return a == b;
  return CanonicalText(a) == CanonicalText(b);
}

bool Within(int64_t n, const Assertion& a) { return n >= a.min && (a.max < 0 || n <= a.max); }

}  // namespace

Result<bool> SchemaExpander::Holds(SchemaRef ref, const OrderedJson& value) {
  if (depth_ > kMaxHoldsDepth)
    return ResourceExhausted("schema: " + document_.path(ref.id) + ": nested too deep");
  ASSIGN_OR_RETURN(const Alternatives alternatives, Expand({ref}, TypeOf(value)));
  for (const Alternative& alternative : alternatives) {
    bool all = true;
    for (const Assertion& assertion : alternative) {
      ASSIGN_OR_RETURN(all, Holds(assertion, value));
      if (!all) break;
    }
    if (all) return true;
  }
  return false;
}

Result<bool> SchemaExpander::Holds(const Assertion& a, const OrderedJson& value) {
  using Kind = Assertion::Kind;
  ++depth_;
  struct Leave {
    int* depth;
    ~Leave() { --*depth; }
  } leave{&depth_};
  switch (a.kind) {
    case Kind::kEnum: {
      bool found = a.single && SameValue(*a.values, value);
      for (size_t i = 0; !a.single && !found && i < a.values->size(); ++i)
        found = SameValue((*a.values)[i], value);
      return found == a.holds;
    }
    case Kind::kInteger:
    case Kind::kCompared:
    case Kind::kMultiple: {
      Result<Decimal> number = DecimalOf(value.dump());
      if (!number.ok()) return document_.Bad(a.id, "enum", number.status().message());
      if (a.kind == Kind::kInteger) return number->is_integer() == a.holds;
      if (a.kind == Kind::kMultiple) {
        const Result<bool> multiple = IsMultiple(*number, a.number);
        if (!multiple.ok())
          return document_.Refuse(a.id, "multipleOf", multiple.status().message());
        return *multiple == a.holds;
      }
      const int order = Compare(*number, a.number);
      return order < 0 ? a.less : order > 0 ? a.greater : a.equal;
    }
    case Kind::kLength:
      return Within(static_cast<int64_t>(text::CountChars(value.get_ref<const std::string&>())), a);
    case Kind::kPattern: {
      ASSIGN_OR_RETURN(const Dfa* dfa, PatternDfa(a));
      return dfa->Accepts(value.get_ref<const std::string&>()) == a.holds;
    }
    case Kind::kFormat: {
      ASSIGN_OR_RETURN(const FormatLanguage* format, Format(a));
      const std::string& text = value.get_ref<const std::string&>();
      const bool fits = format->max_length < 0 ||
                        static_cast<int64_t>(text::CountChars(text)) <= format->max_length;
      return (fits && format->dfa.Accepts(text)) == a.holds;
    }
    case Kind::kItemGroup: {
      const OrderedJson* prefix = document_.Find(a.id, "prefixItems");
      const size_t first = prefix == nullptr ? 0 : prefix->size();
      for (size_t i = 0; i < value.size(); ++i) {
        if (i >= first && document_.Find(a.id, a.text) == nullptr) break;
        ASSIGN_OR_RETURN(const SchemaId child, i < first ? document_.Child(a.id, "prefixItems", i)
                                                         : document_.Child(a.id, a.text));
        ASSIGN_OR_RETURN(const bool valid, Holds(SchemaRef{child, true}, value[i]));
        if (!valid) return false;
      }
      return true;
    }
    case Kind::kCount:
      return Within(static_cast<int64_t>(value.size()), a);
    case Kind::kItem:
      if (static_cast<int64_t>(value.size()) <= a.min) return true;
      return Holds(a.ref, value[static_cast<size_t>(a.min)]);
    case Kind::kContains: {
      int64_t count = 0;
      for (const OrderedJson& item : value) {
        ASSIGN_OR_RETURN(const bool valid, Holds(a.ref, item));
        count += valid;
      }
      return Within(count, a);
    }
    case Kind::kUnique:
      for (size_t i = 0; i < value.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          if (SameValue(value[i], value[j])) return false;
        }
      }
      return true;
    case Kind::kGroup: {
      const OrderedJson* properties = document_.Find(a.id, "properties");
      const OrderedJson* patterns = document_.Find(a.id, "patternProperties");
      for (const auto& [name, member] : value.items()) {
        bool listed = false, valid = true;
        const auto check = [&](Result<SchemaId> child) -> Status {
          RETURN_IF_ERROR(child.status());
          listed = true;
          ASSIGN_OR_RETURN(const bool holds, Holds(SchemaRef{*child, true}, member));
          valid &= holds;
          return OkStatus();
        };
        if (properties != nullptr && properties->contains(name))
          RETURN_IF_ERROR(check(document_.Child(a.id, "properties", name)));
        if (patterns != nullptr) {
          for (const auto& [pattern, unused] : patterns->items()) {
            Assertion matches;
            matches.kind = Kind::kPattern, matches.id = a.id, matches.text = pattern;
            ASSIGN_OR_RETURN(const Dfa* dfa, PatternDfa(matches));
            if (dfa->Accepts(name))
              RETURN_IF_ERROR(check(document_.Child(a.id, "patternProperties", pattern)));
          }
        }
        if (!listed && document_.Find(a.id, a.text) != nullptr)
          RETURN_IF_ERROR(check(document_.Child(a.id, a.text)));
        if (!valid) return false;
      }
      return true;
    }
    case Kind::kRequired:
      return value.contains(a.text);
    case Kind::kAbsent:
      return !value.contains(a.text);
    case Kind::kProperty: {
      const auto it = value.find(a.text);
      if (it == value.end()) return true;
      return Holds(a.ref, *it);
    }
    case Kind::kNames:
      for (const auto& [name, unused] : value.items()) {
        ASSIGN_OR_RETURN(const bool valid, Holds(a.ref, OrderedJson(name)));
        if (!valid) return false;
      }
      return true;
  }
  return false;
}

}  // namespace galen::grammar
