// A JSON Schema as it was written: its subschemas by number, with their paths, and references
// resolved. Keywords are checked when a subschema is first looked at.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace galen::grammar {

// Keeps the order of properties.
using OrderedJson = nlohmann::ordered_json;
using SchemaId = int;

class SchemaDocument {
 public:
  static Result<SchemaDocument> Parse(std::string_view text);

  // The number of a subschema, by where it stands. Fails for what is no schema, for keywords that
  // are not known or refused, and for values of a wrong type; names keyword and path.
  Result<SchemaId> Intern(const OrderedJson& schema, const std::string& path);
  Result<SchemaId> Root() { return Intern(*root_, "#"); }
  // The subschema below schema `id` under these keys ("properties", "name").
  Result<SchemaId> Child(SchemaId id, std::string_view keyword, std::string_view key = {});
  Result<SchemaId> Child(SchemaId id, std::string_view keyword, size_t index);
  // Where "$ref" leads.
  Result<SchemaId> Target(SchemaId id);

  const OrderedJson& json(SchemaId id) const { return *schemas_[id].json; }
  const std::string& path(SchemaId id) const { return schemas_[id].path; }
  // A keyword's value, or null.
  const OrderedJson* Find(SchemaId id, std::string_view keyword) const;
  // A count ("minLength"), or `missing`.
  int64_t Count(SchemaId id, std::string_view keyword, int64_t missing) const;

  // Errors about a keyword of a subschema.
  Status Refuse(SchemaId id, std::string_view keyword, const std::string& why) const;
  Status Bad(SchemaId id, std::string_view keyword, const std::string& why) const;

 private:
  struct Schema {
    const OrderedJson* json;
    std::string path;
  };
  Status Check(const OrderedJson& schema, const std::string& path) const;
  // The first number of a keyword's value that is not kept as it is written; null if all are.
  const std::string* FindInexact(const OrderedJson& value) const;
  Status CheckIds(const OrderedJson& json, const std::string& path, int depth);

  std::shared_ptr<const OrderedJson> root_;
  std::string root_id_;
  bool old_refs_ = false;  // draft 7 and before: what stands beside "$ref" does not count
  std::map<std::string, std::pair<const OrderedJson*, std::string>, std::less<>> anchors_;
  std::map<const OrderedJson*, std::string> inexact_;  // InexactNumbers
  std::vector<Schema> schemas_;
  std::unordered_map<const OrderedJson*, SchemaId> ids_;
};

std::string QuoteName(std::string_view name);
// "~" and "/" escaped, as in a JSON Pointer.
std::string PointerStep(std::string_view key);

}  // namespace galen::grammar
