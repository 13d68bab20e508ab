#include "grammar/schema_document.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "grammar/inexact_numbers.h"
#include "grammar/schema.h"

namespace galen::grammar {
namespace {

constexpr int kMaxJsonDepth = 128;
constexpr size_t kMaxBytes = size_t{4} << 20;
constexpr int64_t kMaxCount = int64_t{1} << 31;

constexpr KeywordUse kYes = KeywordUse::kEnforced;
constexpr KeywordUse kNote = KeywordUse::kAnnotation;
constexpr KeywordUse kNo = KeywordUse::kRefused;

constexpr Keyword kKeywords[] = {
    {"type", kYes},
    {"enum", kYes},
    {"const", kYes},
    {"minimum", kYes},
    {"maximum", kYes},
    {"exclusiveMinimum", kYes},
    {"exclusiveMaximum", kYes},
    {"multipleOf", kYes},
    {"minLength", kYes},
    {"maxLength", kYes},
    {"pattern", kYes},
    {"format", kYes},
    {"prefixItems", kYes},
    {"items", kYes},
    {"minItems", kYes},
    {"maxItems", kYes},
    {"contains", kYes},
    {"minContains", kYes},
    {"maxContains", kYes},
    {"uniqueItems", kYes},
    {"unevaluatedItems", kYes},
    {"properties", kYes},
    {"required", kYes},
    {"additionalProperties", kYes},
    {"patternProperties", kYes},
    {"propertyNames", kYes},
    {"minProperties", kYes},
    {"maxProperties", kYes},
    {"dependentRequired", kYes},
    {"dependentSchemas", kYes},
    {"unevaluatedProperties", kYes},
    {"allOf", kYes},
    {"anyOf", kYes},
    {"oneOf", kYes},
    {"not", kYes},
    {"if", kYes},
    {"then", kYes},
    {"else", kYes},
    {"$ref", kYes},
    {"$defs", kYes},
    {"definitions", kYes},
    {"$anchor", kYes},
    {"$id", kYes},
    {"$schema", kYes},
    {"$comment", kNote},
    {"title", kNote},
    {"description", kNote},
    {"default", kNote},
    {"deprecated", kNote},
    {"examples", kNote},
    {"readOnly", kNote},
    {"writeOnly", kNote},
    {"contentEncoding", kNote},
    {"contentMediaType", kNote},
    {"contentSchema", kNote},
    {"$dynamicRef", kNo},
    {"$dynamicAnchor", kNo},
    {"$recursiveRef", kNo},
    {"$recursiveAnchor", kNo},
    {"$vocabulary", kNo},
    {"additionalItems", kNo},
    {"dependencies", kNo},
};

// The types that the values of keywords have.
enum class Shape { kAny, kSchema, kSchemas, kSchemaMap, kCount, kNumber, kText, kNames };
Shape ShapeOf(std::string_view keyword) {
  static const std::map<std::string_view, Shape> shapes = {
      {"minimum", Shape::kNumber},
      {"maximum", Shape::kNumber},
      {"exclusiveMinimum", Shape::kNumber},
      {"exclusiveMaximum", Shape::kNumber},
      {"multipleOf", Shape::kNumber},
      {"minLength", Shape::kCount},
      {"maxLength", Shape::kCount},
      {"minItems", Shape::kCount},
      {"maxItems", Shape::kCount},
      {"minContains", Shape::kCount},
      {"maxContains", Shape::kCount},
      {"minProperties", Shape::kCount},
      {"maxProperties", Shape::kCount},
      {"pattern", Shape::kText},
      {"format", Shape::kText},
      {"$ref", Shape::kText},
      {"$id", Shape::kText},
      {"$schema", Shape::kText},
      {"$anchor", Shape::kText},
      {"items", Shape::kSchema},
      {"contains", Shape::kSchema},
      {"unevaluatedItems", Shape::kSchema},
      {"additionalProperties", Shape::kSchema},
      {"propertyNames", Shape::kSchema},
      {"unevaluatedProperties", Shape::kSchema},
      {"not", Shape::kSchema},
      {"if", Shape::kSchema},
      {"then", Shape::kSchema},
      {"else", Shape::kSchema},
      {"prefixItems", Shape::kSchemas},
      {"allOf", Shape::kSchemas},
      {"anyOf", Shape::kSchemas},
      {"oneOf", Shape::kSchemas},
      {"properties", Shape::kSchemaMap},
      {"patternProperties", Shape::kSchemaMap},
      {"dependentSchemas", Shape::kSchemaMap},
      {"$defs", Shape::kSchemaMap},
      {"definitions", Shape::kSchemaMap},
      {"required", Shape::kNames},
  };
  const auto it = shapes.find(keyword);
  return it == shapes.end() ? Shape::kAny : it->second;
}

// Whether numbers of its value are compared with those of a document.
bool Compares(std::string_view keyword) {
  const Shape shape = ShapeOf(keyword);
  return keyword == "enum" || keyword == "const" || shape == Shape::kNumber ||
         shape == Shape::kCount;
}

bool IsSchema(const OrderedJson& json) { return json.is_object() || json.is_boolean(); }

bool AreNames(const OrderedJson& json) {
  return json.is_array() &&
         std::all_of(json.begin(), json.end(), [](const auto& name) { return name.is_string(); });
}

bool IsCount(const OrderedJson& json) {
  if (json.is_number_unsigned() || json.is_number_integer()) return json.get<double>() >= 0;
  return json.is_number_float() && json.get<double>() >= 0 &&
         std::floor(json.get<double>()) == json.get<double>();
}

// What is wrong with a keyword's value, or empty.
std::string Complaint(std::string_view keyword, const OrderedJson& value) {
  static const std::string_view kTypes[] = {"null",   "boolean", "integer", "number",
                                            "string", "array",   "object"};
  const auto is_type = [](const OrderedJson& t) {
    return t.is_string() && std::find(std::begin(kTypes), std::end(kTypes),
                                      t.get_ref<const std::string&>()) != std::end(kTypes);
  };
  switch (ShapeOf(keyword)) {
    case Shape::kSchema:
      if (keyword == "items" && value.is_array())
        return "a list of schemas is written as prefixItems in draft 2020-12";
      return IsSchema(value) ? "" : "it must be a schema (an object, true or false)";
    case Shape::kSchemas:
      return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), IsSchema)
                 ? ""
                 : "it must be a list of schemas";
    case Shape::kSchemaMap:
      if (!value.is_object()) return "it must be an object of schemas";
      for (const auto& [name, schema] : value.items()) {
        if (!IsSchema(schema)) return QuoteName(name) + " is no schema";
      }
      return "";
    case Shape::kCount:
      return IsCount(value) ? "" : "it must be a count";
    case Shape::kNumber:
      if (keyword == "multipleOf" && value.is_number() && !(value.get<double>() > 0))
        return "it must be above 0";
      return value.is_number() ? "" : "it must be a number";
    case Shape::kText:
      return value.is_string() ? "" : "it must be a string";
    case Shape::kNames:
      return AreNames(value) ? "" : "it must be a list of names";
    case Shape::kAny:
      break;
  }
  if (keyword == "type") {
    const bool list =
        value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_type);
    return list || is_type(value) ? "" : "it must be the name of a type or a list of them";
  }
  if (keyword == "enum" && !value.is_array()) return "it must be a list";
  if (keyword == "uniqueItems" && !value.is_boolean()) return "it must be true or false";
  if (keyword == "dependentRequired") {
    const bool ok = value.is_object() && std::all_of(value.begin(), value.end(), AreNames);
    return ok ? "" : "it must be an object of lists of names";
  }
  return "";
}

bool KnownDialect(std::string_view uri, bool* old_refs) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  for (const std::string_view draft :
       {"http://json-schema.org/draft-06/schema", "http://json-schema.org/draft-07/schema"}) {
    if (uri == draft) return *old_refs = true;
  }
  return uri == "https://json-schema.org/draft/2020-12/schema" ||
         uri == "https://json-schema.org/draft/2019-09/schema";
}

// A reference's fragment without its percent signs.
Result<std::string> Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string digits(text.substr(i + 1, 2));
    char* end = nullptr;
    const long value = std::strtol(digits.c_str(), &end, 16);
    if (digits.size() != 2 || *end != '\0') return InvalidArgument("a damaged percent escape");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

}  // namespace

std::span<const Keyword> Keywords() { return kKeywords; }

std::string QuoteName(std::string_view name) {
  const std::string_view cut = name.substr(0, 80);
  return OrderedJson(cut).dump(-1, ' ', true, OrderedJson::error_handler_t::replace) +
         (name.size() > cut.size() ? "..." : "");
}

std::string PointerStep(std::string_view key) {
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

Result<SchemaDocument> SchemaDocument::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return ResourceExhausted("the schema has more than " + std::to_string(kMaxBytes >> 20) +
                             " MiB");
  }
  SchemaDocument document;
  bool too_deep = false;
  const auto limit = [&](int depth, OrderedJson::parse_event_t, OrderedJson&) {
    too_deep |= depth > kMaxJsonDepth;
    return !too_deep;
  };
  try {
    document.root_ =
        std::make_shared<const OrderedJson>(OrderedJson::parse(text.begin(), text.end(), limit));
  } catch (const OrderedJson::exception& error) {
    return InvalidArgument(std::string("the schema is no JSON: ") + error.what());
  }
  if (too_deep) {
    return ResourceExhausted("the schema is nested deeper than " + std::to_string(kMaxJsonDepth) +
                             " levels");
  }
  const OrderedJson& root = *document.root_;
  document.inexact_ = InexactNumbers(text, root);
  if (!IsSchema(root)) return InvalidArgument("a schema must be a JSON object, true or false");
  if (root.is_object()) {
    const auto dialect = root.find("$schema");
    if (dialect != root.end() && dialect->is_string() &&
        !KnownDialect(dialect->get_ref<const std::string&>(), &document.old_refs_)) {
      return Unsupported(
          "schema: $schema at #/$schema: " + QuoteName(dialect->get_ref<const std::string&>()) +
          " is not done; draft 2020-12 is");
    }
    const auto id = root.find("$id");
    if (id != root.end() && id->is_string()) document.root_id_ = id->get<std::string>();
  }
  RETURN_IF_ERROR(document.CheckIds(root, "#", 0));
  return document;
}

// Finds anchors; refuses $id below the root, which would change what references mean.
Status SchemaDocument::CheckIds(const OrderedJson& json, const std::string& path, int depth) {
  if (json.is_array()) {
    for (size_t i = 0; i < json.size(); ++i)
      RETURN_IF_ERROR(CheckIds(json[i], path + "/" + std::to_string(i), depth + 1));
  }
  if (!json.is_object()) return OkStatus();
  for (const auto& [key, value] : json.items()) {
    if (key == "enum" || key == "const" || key == "default" || key == "examples") continue;
    if (key == "$id" && value.is_string() && depth > 0) {
      return Unsupported("schema: $id at " + path +
                         "/$id: only the whole schema may have one; use $ref with \"#/...\"");
    }
    if ((key == "$anchor" || key == "$dynamicAnchor") && value.is_string())
      anchors_[value.get<std::string>()] = {&json, path};
    RETURN_IF_ERROR(CheckIds(value, path + "/" + PointerStep(key), depth + 1));
  }
  return OkStatus();
}

Status SchemaDocument::Check(const OrderedJson& schema, const std::string& path) const {
  if (schema.is_boolean()) return OkStatus();
  if (!schema.is_object())
    return InvalidArgument("schema: " + path + " must be an object, true or false");
  for (const auto& [key, value] : schema.items()) {
    const auto keyword = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                      [&key = key](const Keyword& k) { return k.name == key; });
    const std::string at = "schema: " + QuoteName(key) + " at " + path + "/" + PointerStep(key);
    if (keyword == std::end(kKeywords)) {
      return Unsupported(at +
                         ": no keyword of JSON Schema 2020-12; remove it, since it would "
                         "have no effect");
    }
    if (keyword->use == KeywordUse::kRefused) return Unsupported(at + ": is not enforced");
    if (const std::string complaint = Complaint(key, value); !complaint.empty())
      return InvalidArgument(at + ": " + complaint);
    if (Compares(key)) {
      if (const std::string* number = FindInexact(value)) {
        return Unsupported(at + ": the number " + number->substr(0, 80) +
                           " would be rounded; write whole numbers from -2^63 to 2^64-1, and "
                           "others with at most 15 significant digits");
      }
    }
    if (key == "$ref" && old_refs_ && schema.size() > 1) {
      for (const auto& [other, unused] : schema.items()) {
        const auto use = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                      [&o = other](const Keyword& k) { return k.name == o; });
        const bool holder = other == "$defs" || other == "definitions" || other == "$schema" ||
                            other == "$id" || other == "$ref";
        if (!holder && (use == std::end(kKeywords) || use->use != KeywordUse::kAnnotation)) {
          return Unsupported(at + ": draft 7 ignores " + QuoteName(other) +
                             " beside it; say $schema 2020-12 or remove it");
        }
      }
    }
  }
  return OkStatus();
}

const std::string* SchemaDocument::FindInexact(const OrderedJson& value) const {
  if (inexact_.empty()) return nullptr;
  if (const auto found = inexact_.find(&value); found != inexact_.end()) return &found->second;
  if (!value.is_structured()) return nullptr;
  for (const OrderedJson& member : value) {
    if (const std::string* number = FindInexact(member)) return number;
  }
  return nullptr;
}

Result<SchemaId> SchemaDocument::Intern(const OrderedJson& schema, const std::string& path) {
  const auto [it, is_new] = ids_.try_emplace(&schema, static_cast<int>(schemas_.size()));
  if (is_new) {
    const Status status = Check(schema, path);
    if (!status.ok()) {
      ids_.erase(it);
      return status;
    }
    schemas_.push_back({&schema, path});
  }
  return it->second;
}

const OrderedJson* SchemaDocument::Find(SchemaId id, std::string_view keyword) const {
  const OrderedJson& schema = json(id);
  if (!schema.is_object()) return nullptr;
  const auto it = schema.find(keyword);
  return it == schema.end() ? nullptr : &*it;
}

int64_t SchemaDocument::Count(SchemaId id, std::string_view keyword, int64_t missing) const {
  const OrderedJson* value = Find(id, keyword);
  if (value == nullptr) return missing;
  return static_cast<int64_t>(std::min(value->get<double>(), static_cast<double>(kMaxCount)));
}

Result<SchemaId> SchemaDocument::Child(SchemaId id, std::string_view keyword,
                                       std::string_view key) {
  const OrderedJson* value = Find(id, keyword);
  GALEN_CHECK(value != nullptr);
  const std::string at = path(id) + "/" + std::string(keyword);
  if (key.data() == nullptr) return Intern(*value, at);
  return Intern(*value->find(key), at + "/" + PointerStep(key));
}

Result<SchemaId> SchemaDocument::Child(SchemaId id, std::string_view keyword, size_t index) {
  const OrderedJson* value = Find(id, keyword);
  GALEN_CHECK(value != nullptr && index < value->size());
  return Intern((*value)[index],
                path(id) + "/" + std::string(keyword) + "/" + std::to_string(index));
}

Result<SchemaId> SchemaDocument::Target(SchemaId id) {
  const std::string reference = Find(id, "$ref")->get<std::string>();
  std::string_view rest = reference;
  if (!root_id_.empty() && rest.starts_with(root_id_)) {
    rest.remove_prefix(root_id_.size());
    if (rest.empty()) return Root();
  }
  if (!rest.starts_with("#")) {
    return Refuse(id, "$ref",
                  QuoteName(reference) +
                      " is not part of this schema, and nothing is fetched; copy it "
                      "under $defs");
  }
  Result<std::string> fragment = Unescape(rest.substr(1));
  if (!fragment.ok()) return Bad(id, "$ref", fragment.status().message());
  if (fragment->empty()) return Root();
  if ((*fragment)[0] != '/') {
    const auto it = anchors_.find(*fragment);
    if (it == anchors_.end()) return Bad(id, "$ref", "there is no anchor " + QuoteName(*fragment));
    return Intern(*it->second.first, it->second.second);
  }
  try {
    const OrderedJson::json_pointer pointer(*fragment);
    if (!root_->contains(pointer))
      return Bad(id, "$ref", "there is nothing at " + QuoteName(reference));
    return Intern(root_->at(pointer), "#" + *fragment);
  } catch (const OrderedJson::exception&) {
    return Bad(id, "$ref", QuoteName(reference) + " is no JSON Pointer");
  }
}

Status SchemaDocument::Refuse(SchemaId id, std::string_view keyword, const std::string& why) const {
  return Unsupported("schema: \"" + std::string(keyword) + "\" at " + path(id) + "/" +
                     std::string(keyword) + ": " + why);
}

Status SchemaDocument::Bad(SchemaId id, std::string_view keyword, const std::string& why) const {
  return InvalidArgument("schema: \"" + std::string(keyword) + "\" at " + path(id) + "/" +
                         std::string(keyword) + ": " + why);
}

}  // namespace galen::grammar
