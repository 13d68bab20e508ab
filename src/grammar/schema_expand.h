// What a schema says about values of one type: alternatives of assertions (disjunctive normal
// form). The combinators (allOf, anyOf, oneOf, not, if, dependent*, $ref) are gone there; children
// (items, properties) are still schemas.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "grammar/formats.h"
#include "grammar/number.h"
#include "grammar/schema_document.h"

namespace galen::grammar {

enum class JsonType : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };
inline constexpr JsonType kJsonTypes[] = {JsonType::kNull,   JsonType::kBoolean, JsonType::kNumber,
                                          JsonType::kString, JsonType::kArray,   JsonType::kObject};
JsonType TypeOf(const OrderedJson& value);

// A schema that must hold, or must not.
struct SchemaRef {
  SchemaId id;
  bool holds;
  auto operator<=>(const SchemaRef&) const = default;
};
// All must be so; sorted, without repetition.
using Conjunction = std::vector<SchemaRef>;
void AddRef(Conjunction* conjunction, SchemaRef ref);

struct Assertion {
  enum class Kind : uint8_t {
    kEnum,       // equal to one of `values`
    kInteger,    // numbers
    kCompared,   // value `less`, `equal` or `greater` than number
    kMultiple,   // of number
    kLength,     // strings: min to max code points
    kPattern,    // text: the pattern
    kFormat,     // text: its name
    kItemGroup,  // arrays: prefixItems and items of schema `id`
    kCount,      // arrays and objects: min to max members
    kItem,       // arrays: the item at `min` satisfies ref, if it is there
    kContains,   // arrays: min to max items satisfy ref
    kUnique,     // arrays
    kGroup,      // objects: properties, patternProperties, additionalProperties of schema `id`
    kRequired,   // objects: text is there
    kAbsent,     // objects: text is not
    kProperty,   // objects: text satisfies ref, if it is there
    kNames,      // objects: every name satisfies ref
  };
  Kind kind;
  bool holds = true;  // kEnum, kInteger, kMultiple, kPattern, kFormat may be negated
  SchemaId id = 0;    // where it comes from
  std::string text;
  const OrderedJson* values = nullptr;  // kEnum: a list, or one value (`single`)
  bool single = false;
  bool less = false, equal = false, greater = false;
  Decimal number;
  int64_t min = 0, max = -1;
  SchemaRef ref{0, true};
};
using Alternative = std::vector<Assertion>;
using Alternatives = std::vector<Alternative>;

class SchemaExpander {
 public:
  // disjoint: whether no value of the type satisfies both schemas, as far as is known.
  using Disjoint = std::function<bool(SchemaRef, SchemaRef, JsonType)>;
  SchemaExpander(SchemaDocument* document, Disjoint disjoint)
      : document_(*document), disjoint_(std::move(disjoint)) {}

  Result<Alternatives> Expand(const Conjunction& conjunction, JsonType type);
  // Whether a value is valid.
  Result<bool> Holds(SchemaRef ref, const OrderedJson& value);
  Result<bool> Holds(const Assertion& assertion, const OrderedJson& value);

  // Both stay as long as the expander.
  Result<const Dfa*> PatternDfa(const Assertion& assertion);
  Result<const FormatLanguage*> Format(const Assertion& assertion);

 private:
  Result<Alternatives> ExpandOne(SchemaRef ref, JsonType type);
  Result<Alternatives> Positive(SchemaId id, JsonType type);
  Result<Alternatives> Negative(SchemaId id, JsonType type);
  // Each assertion of a schema's keywords for the type, and beside it the alternatives that say
  // the opposite.
  Status Keywords(SchemaId id, JsonType type, bool holds, Alternatives* out);
  Status NumberKeywords(SchemaId id, bool holds, Alternatives* out);
  Status StringKeywords(SchemaId id, bool holds, Alternatives* out);
  Status ArrayKeywords(SchemaId id, bool holds, Alternatives* out);
  Status ObjectKeywords(SchemaId id, bool holds, Alternatives* out);
  Status Conditions(SchemaId id, JsonType type, bool holds, Alternatives* out);
  Result<Alternatives> OneOf(SchemaId id, JsonType type, bool holds);
  Status CheckUnevaluated(SchemaId id, std::string_view keyword);
  // Joins what the schema says with `more`: both (holds) or one of them.
  Status Join(SchemaId id, bool holds, Alternatives* all, Alternatives more);
  Status And(SchemaId id, Alternatives* all, const Alternatives& more);

  SchemaDocument& document_;
  Disjoint disjoint_;
  std::vector<std::pair<SchemaRef, JsonType>> open_;  // being expanded
  std::map<std::pair<SchemaRef, JsonType>, Alternatives> expanded_;
  std::map<std::string, Dfa> patterns_;
  int depth_ = 0;
  int64_t work_ = 0;
};

}  // namespace galen::grammar
