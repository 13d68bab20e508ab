#include "grammar/schema_expand.h"

#include <algorithm>

#include "grammar/regex.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaxAlternatives = 512;
constexpr int kMaxExpansions = 150;
constexpr int64_t kMaxWork = 2000000;  // assertions made in all

const std::string_view kInPlace[] = {"$ref", "allOf", "anyOf",           "oneOf",
                                     "not",  "if",    "dependentSchemas"};

bool NamesType(const std::string& name, JsonType type) {
  switch (type) {
    case JsonType::kNull:
      return name == "null";
    case JsonType::kBoolean:
      return name == "boolean";
    case JsonType::kNumber:
      return name == "number" || name == "integer";
    case JsonType::kString:
      return name == "string";
    case JsonType::kArray:
      return name == "array";
    case JsonType::kObject:
      return name == "object";
  }
  return false;
}

Assertion Make(Assertion::Kind kind, SchemaId id) {
  Assertion assertion;
  assertion.kind = kind;
  assertion.id = id;
  return assertion;
}

Assertion Range(Assertion::Kind kind, SchemaId id, int64_t min, int64_t max) {
  Assertion assertion = Make(kind, id);
  assertion.min = min, assertion.max = max;
  return assertion;
}

Assertion Named(Assertion::Kind kind, SchemaId id, const std::string& text) {
  Assertion assertion = Make(kind, id);
  assertion.text = text;
  return assertion;
}

Assertion About(Assertion assertion, SchemaRef ref) {
  assertion.ref = ref;
  return assertion;
}

}  // namespace

JsonType TypeOf(const OrderedJson& value) {
  if (value.is_null()) return JsonType::kNull;
  if (value.is_boolean()) return JsonType::kBoolean;
  if (value.is_number()) return JsonType::kNumber;
  if (value.is_string()) return JsonType::kString;
  return value.is_array() ? JsonType::kArray : JsonType::kObject;
}

void AddRef(Conjunction* conjunction, SchemaRef ref) {
  const auto at = std::lower_bound(conjunction->begin(), conjunction->end(), ref);
  if (at == conjunction->end() || *at != ref) conjunction->insert(at, ref);
}

Status SchemaExpander::And(SchemaId id, Alternatives* all, const Alternatives& more) {
  if (all->size() * more.size() > kMaxAlternatives) {
    return ResourceExhausted("schema: " + document_.path(id) + ": its combinations of anyOf, " +
                             "oneOf, not and if make more than " +
                             std::to_string(kMaxAlternatives) + " alternatives");
  }
  Alternatives product;
  for (const Alternative& a : *all) {
    for (const Alternative& b : more) {
      Alternative both = a;
      both.insert(both.end(), b.begin(), b.end());
      work_ += static_cast<int64_t>(both.size());
      product.push_back(std::move(both));
    }
  }
  if (work_ > kMaxWork)
    return ResourceExhausted("schema: " + document_.path(id) + ": it takes too long to compile");
  *all = std::move(product);
  return OkStatus();
}

Status SchemaExpander::Join(SchemaId id, bool holds, Alternatives* all, Alternatives more) {
  if (holds) return And(id, all, more);
  if (all->size() + more.size() > kMaxAlternatives)
    return ResourceExhausted("schema: " + document_.path(id) + ": too many alternatives");
  all->insert(all->end(), more.begin(), more.end());
  return OkStatus();
}

Result<Alternatives> SchemaExpander::Expand(const Conjunction& conjunction, JsonType type) {
  Alternatives all{{}};
  for (const SchemaRef& ref : conjunction) {
    ASSIGN_OR_RETURN(const Alternatives one, ExpandOne(ref, type));
    if (one.empty()) return Alternatives{};
    RETURN_IF_ERROR(And(ref.id, &all, one));
  }
  return all;
}

Result<Alternatives> SchemaExpander::ExpandOne(SchemaRef ref, JsonType type) {
  const auto key = std::make_pair(ref, type);
  if (const auto it = expanded_.find(key); it != expanded_.end()) return it->second;
  if (std::find(open_.begin(), open_.end(), key) != open_.end())
    return InvalidArgument("schema: " + document_.path(ref.id) + " refers to itself without end");
  if (open_.size() > kMaxExpansions)
    return ResourceExhausted("schema: " + document_.path(ref.id) + ": nested too deep");
  open_.push_back(key);
  Result<Alternatives> result = ref.holds ? Positive(ref.id, type) : Negative(ref.id, type);
  open_.pop_back();
  if (result.ok()) expanded_[key] = *result;
  return result;
}

Result<Alternatives> SchemaExpander::Positive(SchemaId id, JsonType type) {
  if (document_.json(id).is_boolean())
    return document_.json(id).get<bool>() ? Alternatives{{}} : Alternatives{};
  Alternatives all{{}};
  RETURN_IF_ERROR(Keywords(id, type, true, &all));
  return all;
}

Result<Alternatives> SchemaExpander::Negative(SchemaId id, JsonType type) {
  if (document_.json(id).is_boolean())
    return document_.json(id).get<bool>() ? Alternatives{} : Alternatives{{}};
  Alternatives all;
  RETURN_IF_ERROR(Keywords(id, type, false, &all));
  return all;
}

Status SchemaExpander::Keywords(SchemaId id, JsonType type, bool holds, Alternatives* out) {
  if (const OrderedJson* types = document_.Find(id, "type")) {
    bool named = false, integer = true;
    const auto look = [&](const std::string& name) {
      if (!NamesType(name, type)) return;
      named = true;
      integer &= name == "integer";
    };
    if (types->is_string()) look(types->get<std::string>());
    if (types->is_array()) {
      for (const auto& name : *types) look(name.get<std::string>());
    }
    if (!named) {
      // Nothing of this type is valid.
      *out = holds ? Alternatives{} : Alternatives{{}};
      return OkStatus();
    }
    if (type == JsonType::kNumber && integer) {
      Assertion assertion = Make(Assertion::Kind::kInteger, id);
      assertion.holds = holds;
      RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
    }
  }
  for (const std::string_view keyword : {"enum", "const"}) {
    const OrderedJson* value = document_.Find(id, keyword);
    if (value == nullptr) continue;
    Assertion assertion = Make(Assertion::Kind::kEnum, id);
    assertion.values = value;
    assertion.single = keyword == "const";
    assertion.holds = holds;
    RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
  }
  if (document_.Find(id, "$ref") != nullptr) {
    ASSIGN_OR_RETURN(const SchemaId target, document_.Target(id));
    ASSIGN_OR_RETURN(Alternatives more, ExpandOne({target, holds}, type));
    RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
  }
  if (const OrderedJson* all = document_.Find(id, "allOf")) {
    for (size_t i = 0; i < all->size(); ++i) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "allOf", i));
      ASSIGN_OR_RETURN(Alternatives more, ExpandOne({child, holds}, type));
      RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
    }
  }
  if (const OrderedJson* any = document_.Find(id, "anyOf")) {
    Alternatives more = holds ? Alternatives{} : Alternatives{{}};
    for (size_t i = 0; i < any->size(); ++i) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "anyOf", i));
      ASSIGN_OR_RETURN(Alternatives one, ExpandOne({child, holds}, type));
      RETURN_IF_ERROR(Join(id, !holds, &more, std::move(one)));
    }
    RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
  }
  if (document_.Find(id, "oneOf") != nullptr) {
    ASSIGN_OR_RETURN(Alternatives more, OneOf(id, type, holds));
    RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
  }
  if (document_.Find(id, "not") != nullptr) {
    ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "not"));
    ASSIGN_OR_RETURN(Alternatives more, ExpandOne({child, !holds}, type));
    RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
  }
  RETURN_IF_ERROR(Conditions(id, type, holds, out));
  switch (type) {
    case JsonType::kNumber:
      return NumberKeywords(id, holds, out);
    case JsonType::kString:
      return StringKeywords(id, holds, out);
    case JsonType::kArray:
      return ArrayKeywords(id, holds, out);
    case JsonType::kObject:
      return ObjectKeywords(id, holds, out);
    default:
      return OkStatus();
  }
}

// (if and then) or (not if and else); and the opposite.
Status SchemaExpander::Conditions(SchemaId id, JsonType type, bool holds, Alternatives* out) {
  const bool has_then = document_.Find(id, "then") != nullptr;
  const bool has_else = document_.Find(id, "else") != nullptr;
  if (document_.Find(id, "if") == nullptr || (!has_then && !has_else)) return OkStatus();
  ASSIGN_OR_RETURN(const SchemaId condition, document_.Child(id, "if"));
  Alternatives more;
  for (const bool met : {true, false}) {
    if (!holds && !(met ? has_then : has_else)) continue;  // an absent branch is always valid
    ASSIGN_OR_RETURN(Alternatives branch, ExpandOne({condition, met}, type));
    if (met ? has_then : has_else) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, met ? "then" : "else"));
      if (!branch.empty()) {
        ASSIGN_OR_RETURN(const Alternatives then, ExpandOne({child, holds}, type));
        RETURN_IF_ERROR(And(id, &branch, then));
      }
    }
    more.insert(more.end(), branch.begin(), branch.end());
  }
  return Join(id, holds, out, std::move(more));
}

Result<Alternatives> SchemaExpander::OneOf(SchemaId id, JsonType type, bool holds) {
  const size_t n = document_.Find(id, "oneOf")->size();
  std::vector<SchemaId> children;
  std::vector<uint8_t> possible;  // for values of this type
  for (size_t i = 0; i < n; ++i) {
    ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "oneOf", i));
    ASSIGN_OR_RETURN(const Alternatives one, ExpandOne({child, true}, type));
    children.push_back(child);
    possible.push_back(!one.empty());
  }
  const auto apart = [&](size_t i, size_t j) {
    return disjoint_({children[i], true}, {children[j], true}, type);
  };
  Alternatives all;
  if (holds) {
    for (size_t i = 0; i < n; ++i) {
      if (!possible[i]) continue;
      ASSIGN_OR_RETURN(Alternatives one, ExpandOne({children[i], true}, type));
      for (size_t j = 0; j < n && !one.empty(); ++j) {
        if (j == i || !possible[j] || apart(i, j)) continue;
        Result<Alternatives> other = ExpandOne({children[j], false}, type);
        if (!other.ok() && other.status().code() == StatusCode::kUnsupported) {
          return document_.Refuse(id, "oneOf",
                                  "alternatives " + std::to_string(i) + " and " +
                                      std::to_string(j) + " may both hold, and the opposite of " +
                                      "one is not enforced (" + other.status().message() +
                                      "); use anyOf, or tell them apart by a required const");
        }
        RETURN_IF_ERROR(other.status());
        RETURN_IF_ERROR(And(id, &one, *other));
      }
      RETURN_IF_ERROR(Join(id, false, &all, std::move(one)));
    }
    return all;
  }
  // None holds, or two do.
  Alternatives none{{}};
  for (size_t i = 0; i < n; ++i) {
    ASSIGN_OR_RETURN(const Alternatives one, ExpandOne({children[i], false}, type));
    RETURN_IF_ERROR(And(id, &none, one));
  }
  all = std::move(none);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      if (!possible[i] || !possible[j] || apart(i, j)) continue;
      ASSIGN_OR_RETURN(Alternatives both, ExpandOne({children[i], true}, type));
      ASSIGN_OR_RETURN(const Alternatives second, ExpandOne({children[j], true}, type));
      RETURN_IF_ERROR(And(id, &both, second));
      RETURN_IF_ERROR(Join(id, false, &all, std::move(both)));
    }
  }
  return all;
}

Status SchemaExpander::NumberKeywords(SchemaId id, bool holds, Alternatives* out) {
  struct Bound {
    std::string_view keyword;
    bool less, equal, greater;
  };
  for (const Bound& bound :
       {Bound{"minimum", false, true, true}, Bound{"maximum", true, true, false},
        Bound{"exclusiveMinimum", false, false, true},
        Bound{"exclusiveMaximum", true, false, false}}) {
    const OrderedJson* value = document_.Find(id, bound.keyword);
    if (value == nullptr) continue;
    Assertion assertion = Make(Assertion::Kind::kCompared, id);
    Result<Decimal> number = DecimalOf(value->dump());
    if (!number.ok()) return document_.Bad(id, bound.keyword, number.status().message());
    assertion.number = *number;
    assertion.less = bound.less == holds, assertion.equal = bound.equal == holds,
    assertion.greater = bound.greater == holds;
    RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
  }
  if (const OrderedJson* value = document_.Find(id, "multipleOf")) {
    Assertion assertion = Make(Assertion::Kind::kMultiple, id);
    Result<Decimal> number = DecimalOf(value->dump());
    if (!number.ok()) return document_.Bad(id, "multipleOf", number.status().message());
    assertion.number = *number;
    assertion.holds = holds;
    RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
  }
  return OkStatus();
}

Status SchemaExpander::StringKeywords(SchemaId id, bool holds, Alternatives* out) {
  const int64_t min = document_.Count(id, "minLength", 0);
  const int64_t max = document_.Count(id, "maxLength", -1);
  constexpr Assertion::Kind kLength = Assertion::Kind::kLength;
  if (min > 0) {
    RETURN_IF_ERROR(Join(id, holds, out,
                         {{holds ? Range(kLength, id, min, -1) : Range(kLength, id, 0, min - 1)}}));
  }
  if (max >= 0) {
    RETURN_IF_ERROR(Join(id, holds, out,
                         {{holds ? Range(kLength, id, 0, max) : Range(kLength, id, max + 1, -1)}}));
  }
  if (const OrderedJson* pattern = document_.Find(id, "pattern")) {
    Assertion assertion = Named(Assertion::Kind::kPattern, id, pattern->get<std::string>());
    assertion.holds = holds;
    RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
  }
  if (const OrderedJson* format = document_.Find(id, "format")) {
    Assertion assertion = Named(Assertion::Kind::kFormat, id, format->get<std::string>());
    assertion.holds = holds;
    ASSIGN_OR_RETURN(const FormatLanguage* language, Format(assertion));
    if (!holds && language->max_length >= 0)
      return document_.Refuse(id, "format", "its opposite (not, oneOf, if) is not enforced");
    RETURN_IF_ERROR(Join(id, holds, out, {{assertion}}));
  }
  return OkStatus();
}

Status SchemaExpander::CheckUnevaluated(SchemaId id, std::string_view keyword) {
  for (const std::string_view other : kInPlace) {
    if (document_.Find(id, other) != nullptr) {
      return document_.Refuse(
          id, keyword,
          "is not enforced beside " + std::string(other) +
              "; list the members in this schema and use " +
              (keyword == "unevaluatedItems" ? "items" : "additionalProperties"));
    }
  }
  return OkStatus();
}

Status SchemaExpander::ArrayKeywords(SchemaId id, bool holds, Alternatives* out) {
  using Kind = Assertion::Kind;
  const OrderedJson* prefix = document_.Find(id, "prefixItems");
  std::string_view rest = "items";
  if (document_.Find(id, "unevaluatedItems") != nullptr) {
    RETURN_IF_ERROR(CheckUnevaluated(id, "unevaluatedItems"));
    if (document_.Find(id, "items") == nullptr) {
      if (document_.Find(id, "contains") != nullptr)
        return document_.Refuse(id, "unevaluatedItems", "is not enforced beside contains");
      rest = "unevaluatedItems";
    }
  }
  const bool has_rest = document_.Find(id, rest) != nullptr;
  if (holds && (prefix != nullptr || has_rest)) {
    Assertion group = Make(Kind::kItemGroup, id);
    group.text = rest;
    RETURN_IF_ERROR(And(id, out, {{group}}));
  }
  if (!holds && prefix != nullptr) {  // an item that is there and breaks its schema
    for (size_t i = 0; i < prefix->size(); ++i) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "prefixItems", i));
      const int64_t at = static_cast<int64_t>(i);
      RETURN_IF_ERROR(Join(id, false, out,
                           {{Range(Kind::kCount, id, at + 1, -1),
                             About(Range(Kind::kItem, id, at, -1), {child, false})}}));
    }
  }
  if (!holds && has_rest) {
    ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, rest));
    const bool always = document_.json(child).is_boolean() && document_.json(child).get<bool>();
    const bool never = document_.json(child).is_boolean() && !always;
    const int64_t first = prefix == nullptr ? 0 : static_cast<int64_t>(prefix->size());
    if (never) {
      RETURN_IF_ERROR(Join(id, false, out, {{Range(Kind::kCount, id, first + 1, -1)}}));
    } else if (!always && first > 0) {
      return document_.Refuse(id, rest,
                              "its opposite (not, oneOf, if) is not enforced beside prefixItems");
    } else if (!always) {
      RETURN_IF_ERROR(
          Join(id, false, out, {{About(Range(Kind::kContains, id, 1, -1), {child, false})}}));
    }
  }
  const int64_t min = document_.Count(id, "minItems", 0), max = document_.Count(id, "maxItems", -1);
  if (min > 0) {
    RETURN_IF_ERROR(
        Join(id, holds, out,
             {{holds ? Range(Kind::kCount, id, min, -1) : Range(Kind::kCount, id, 0, min - 1)}}));
  }
  if (max >= 0) {
    RETURN_IF_ERROR(
        Join(id, holds, out,
             {{holds ? Range(Kind::kCount, id, 0, max) : Range(Kind::kCount, id, max + 1, -1)}}));
  }
  if (document_.Find(id, "contains") != nullptr) {
    ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "contains"));
    const int64_t least = document_.Count(id, "minContains", 1);
    const int64_t most = document_.Count(id, "maxContains", -1);
    const auto contains = [&](int64_t from, int64_t to) {
      return About(Range(Kind::kContains, id, from, to), {child, true});
    };
    if (least > 0 || most >= 0) {
      Alternatives more;
      if (holds && (most < 0 || least <= most)) more = {{contains(least, most)}};
      if (!holds && least > 0) more.push_back({contains(0, least - 1)});
      if (!holds && most >= 0) more.push_back({contains(most + 1, -1)});
      RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
    }
  }
  const OrderedJson* unique = document_.Find(id, "uniqueItems");
  if (unique != nullptr && unique->get<bool>()) {
    if (!holds)
      return document_.Refuse(id, "uniqueItems", "its opposite (not, oneOf, if) is not enforced");
    RETURN_IF_ERROR(And(id, out, {{Make(Kind::kUnique, id)}}));
  }
  return OkStatus();
}

Status SchemaExpander::ObjectKeywords(SchemaId id, bool holds, Alternatives* out) {
  using Kind = Assertion::Kind;
  const OrderedJson* properties = document_.Find(id, "properties");
  const OrderedJson* patterns = document_.Find(id, "patternProperties");
  std::string_view rest = "additionalProperties";
  if (document_.Find(id, "unevaluatedProperties") != nullptr) {
    RETURN_IF_ERROR(CheckUnevaluated(id, "unevaluatedProperties"));
    if (document_.Find(id, rest) == nullptr) rest = "unevaluatedProperties";
  }
  const bool has_rest = document_.Find(id, rest) != nullptr;
  if (holds && (properties != nullptr || patterns != nullptr || has_rest)) {
    Assertion group = Make(Kind::kGroup, id);
    group.text = rest;
    RETURN_IF_ERROR(And(id, out, {{group}}));
  }
  const auto broken = [&](const std::string& name, SchemaId child) {
    return Alternative{Named(Kind::kRequired, id, name),
                       About(Named(Kind::kProperty, id, name), {child, false})};
  };
  if (!holds && properties != nullptr) {
    for (const auto& [name, unused] : properties->items()) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "properties", name));
      RETURN_IF_ERROR(Join(id, false, out, {broken(name, child)}));
    }
  }
  for (const std::string_view keyword :
       {std::string_view("patternProperties"), rest, std::string_view("propertyNames")}) {
    if (holds || document_.Find(id, keyword) == nullptr) continue;
    if (document_.Find(id, keyword)->is_boolean() && document_.Find(id, keyword)->get<bool>())
      continue;
    return document_.Refuse(id, keyword, "its opposite (not, oneOf, if) is not enforced");
  }
  if (holds && document_.Find(id, "propertyNames") != nullptr) {
    ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "propertyNames"));
    RETURN_IF_ERROR(And(id, out, {{About(Make(Kind::kNames, id), {child, true})}}));
  }
  if (const OrderedJson* required = document_.Find(id, "required")) {
    for (const auto& name : *required) {
      RETURN_IF_ERROR(
          Join(id, holds, out,
               {{Named(holds ? Kind::kRequired : Kind::kAbsent, id, name.get<std::string>())}}));
    }
  }
  const int64_t min = document_.Count(id, "minProperties", 0);
  const int64_t max = document_.Count(id, "maxProperties", -1);
  if (min > 0) {
    RETURN_IF_ERROR(
        Join(id, holds, out,
             {{holds ? Range(Kind::kCount, id, min, -1) : Range(Kind::kCount, id, 0, min - 1)}}));
  }
  if (max >= 0) {
    RETURN_IF_ERROR(
        Join(id, holds, out,
             {{holds ? Range(Kind::kCount, id, 0, max) : Range(Kind::kCount, id, max + 1, -1)}}));
  }
  if (const OrderedJson* dependent = document_.Find(id, "dependentRequired")) {
    for (const auto& [name, others] : dependent->items()) {
      for (const auto& other : others) {
        const std::string text = other.get<std::string>();
        Alternatives more;
        if (holds)
          more = {{Named(Kind::kAbsent, id, name)},
                  {Named(Kind::kRequired, id, name), Named(Kind::kRequired, id, text)}};
        else
          more = {{Named(Kind::kRequired, id, name), Named(Kind::kAbsent, id, text)}};
        RETURN_IF_ERROR(Join(id, holds, out, std::move(more)));
      }
    }
  }
  if (const OrderedJson* dependent = document_.Find(id, "dependentSchemas")) {
    for (const auto& [name, unused] : dependent->items()) {
      ASSIGN_OR_RETURN(const SchemaId child, document_.Child(id, "dependentSchemas", name));
      ASSIGN_OR_RETURN(Alternatives more, ExpandOne({child, holds}, JsonType::kObject));
      Alternatives there{{Named(Kind::kRequired, id, name)}};
      RETURN_IF_ERROR(And(id, &there, more));
      if (holds) there.push_back({Named(Kind::kAbsent, id, name)});
      RETURN_IF_ERROR(Join(id, holds, out, std::move(there)));
    }
  }
  return OkStatus();
}

Result<const Dfa*> SchemaExpander::PatternDfa(const Assertion& assertion) {
  if (const auto it = patterns_.find(assertion.text); it != patterns_.end()) return &it->second;
  Result<Dfa> dfa = CompileRegex(assertion.text, RegexMatch::kSearch);
  if (!dfa.ok()) {
    return Status(dfa.status().code(),
                  document_.Bad(assertion.id, "pattern", dfa.status().message()).message());
  }
  return &patterns_.emplace(assertion.text, *std::move(dfa)).first->second;
}

Result<const FormatLanguage*> SchemaExpander::Format(const Assertion& assertion) {
  const Result<const FormatLanguage*> format = LanguageOfFormat(assertion.text);
  if (!format.ok()) return document_.Refuse(assertion.id, "format", format.status().message());
  return format;
}

}  // namespace galen::grammar
