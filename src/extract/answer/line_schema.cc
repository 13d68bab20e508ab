#include "extract/answer/line_schema.h"

#include <algorithm>
#include <string_view>

#include "text/template/chat_template.h"

namespace galen::extract {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kDefinitions = "#/$defs/";
// Keywords with schemas below them that are not looked into.
constexpr std::string_view kNotTaken[] = {"allOf",
                                          "anyOf",
                                          "oneOf",
                                          "not",
                                          "if",
                                          "prefixItems",
                                          "contains",
                                          "patternProperties",
                                          "propertyNames",
                                          "dependentSchemas",
                                          "$dynamicRef",
                                          "unevaluatedProperties",
                                          "minProperties",
                                          "dependentRequired",
                                          "unevaluatedItems"};

class SchemaView {
 public:
  explicit SchemaView(const OrderedJson& root) : root_(root) {}

  // The schema that a chain of references ends in.
  Result<const OrderedJson*> Resolve(const OrderedJson& node, int depth) const {
    const OrderedJson* at = &node;
    for (; at->is_object() && at->contains("$ref"); ++depth) {
      const OrderedJson& reference = (*at)["$ref"];
      if (!reference.is_string() || depth > kMaxDepth) return NotTaken("$ref");
      const std::string name = reference.get<std::string>();
      if (!name.starts_with(kDefinitions) || !root_.contains("$defs")) return NotTaken("$ref");
      const std::string definition = name.substr(kDefinitions.size());
      const OrderedJson& definitions = root_["$defs"];
      if (!definitions.is_object() || !definitions.contains(definition)) return NotTaken(name);
      at = &definitions[definition];
    }
    if (!at->is_object() || depth > kMaxDepth) return NotTaken("nesting");
    for (const std::string_view keyword : kNotTaken) {
      if (at->contains(keyword)) return NotTaken(std::string(keyword));
    }
    return at;
  }

 private:
  static Status NotTaken(const std::string& what) {
    return Unsupported("reading by lines: the schema has '" + what.substr(0, 80) +
                       "'; use one of galen's kinds, or a model that reads whole pages");
  }
  const OrderedJson& root_;
};

bool EnumAllowsNull(const OrderedJson& node) {
  if (!node.contains("enum")) return true;
  const OrderedJson& values = node["enum"];
  return std::find(values.begin(), values.end(), OrderedJson()) != values.end();
}

bool TypeAllowsNull(const OrderedJson& node) {
  if (!node.contains("type")) return true;
  const auto is = [](const OrderedJson& t) { return t.is_string() && t == "null"; };
  const OrderedJson& types = node["type"];
  return types.is_array() ? std::any_of(types.begin(), types.end(), is) : is(types);
}

bool AllowsNull(const OrderedJson& node) { return EnumAllowsNull(node) && TypeAllowsNull(node); }

bool HasProperties(const OrderedJson& node) {
  return node.contains("properties") && node["properties"].is_object();
}

OrderedJson OrNull(OrderedJson node) {
  if (!EnumAllowsNull(node)) node["enum"].push_back(nullptr);
  if (!TypeAllowsNull(node)) {
    if (!node["type"].is_array()) node["type"] = OrderedJson::array({node["type"]});
    node["type"].push_back("null");
  }
  return node;
}

Result<OrderedJson> LineNode(const SchemaView& view, const OrderedJson& from, bool entry,
                             int depth) {
  ASSIGN_OR_RETURN(const OrderedJson* found, view.Resolve(from, depth));
  OrderedJson node = *found;
  node.erase("$defs");
  if (HasProperties(node)) {
    for (auto& [name, child] : node["properties"].items()) {
      ASSIGN_OR_RETURN(OrderedJson part, LineNode(view, child, false, depth + 1));
      if (entry && !HasProperties(part) && !part.contains("items")) part = OrNull(std::move(part));
      child = std::move(part);
    }
    if (!entry) node.erase("required");
  } else if (node.contains("items")) {
    ASSIGN_OR_RETURN(OrderedJson items, LineNode(view, node["items"], true, depth + 1));
    node["items"] = std::move(items);
    node["minItems"] = 1;
    node.erase("uniqueItems");
  }
  return node;
}

Result<OrderedJson> EmptyOf(const SchemaView& view, const OrderedJson& from, int depth) {
  ASSIGN_OR_RETURN(const OrderedJson* node, view.Resolve(from, depth));
  if (HasProperties(*node)) {
    OrderedJson object = OrderedJson::object();
    for (const auto& [name, child] : (*node)["properties"].items()) {
      ASSIGN_OR_RETURN(object[name], EmptyOf(view, child, depth + 1));
    }
    return object;
  }
  if (node->contains("items")) return OrderedJson::array();
  return OrderedJson();
}

// Whether a null stands where the schema wants a value.
bool NullMissing(const SchemaView& view, const OrderedJson& from, const Json& value, int depth) {
  const Result<const OrderedJson*> found = view.Resolve(from, depth);
  if (!found.ok()) return false;
  const OrderedJson& node = **found;
  if (value.is_null()) return !AllowsNull(node);
  if (HasProperties(node) && value.is_object()) {
    for (const auto& [name, child] : node["properties"].items()) {
      const auto at = value.find(name);
      if (at != value.end() && NullMissing(view, child, *at, depth + 1)) return true;
    }
  } else if (node.contains("items") && value.is_array()) {
    return std::any_of(value.begin(), value.end(), [&](const Json& entry) {
      return NullMissing(view, node["items"], entry, depth + 1);
    });
  }
  return false;
}

Result<OrderedJson> Parse(const std::string& schema) {
  ASSIGN_OR_RETURN(OrderedJson root, ParseOrderedJson(schema, kMaxDepth));
  if (!root.is_object()) return DataLoss("the schema is no JSON object");
  return root;
}

}  // namespace

Result<std::string> LineSchema(const std::string& schema) {
  ASSIGN_OR_RETURN(const OrderedJson root, Parse(schema));
  ASSIGN_OR_RETURN(const OrderedJson line, LineNode(SchemaView(root), root, false, 0));
  return line.dump();
}

Result<std::string> EmptyDocument(const std::string& schema) {
  ASSIGN_OR_RETURN(const OrderedJson root, Parse(schema));
  ASSIGN_OR_RETURN(const OrderedJson document, EmptyOf(SchemaView(root), root, 0));
  return document.dump();
}

Result<bool> LacksValues(const std::string& schema, const Json& part) {
  ASSIGN_OR_RETURN(const OrderedJson root, Parse(schema));
  return NullMissing(SchemaView(root), root, part, 0);
}

}  // namespace galen::extract
