// Typed access to the fields of tokenizer.json; every error names the component and the field.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace galen::text {

class Fields {
 public:
  // `where` names the object in errors: "normalizer", "pre_tokenizer", ...
  static Result<Fields> Of(const Json& json, std::string where) {
    if (!json.is_object()) return DataLoss("tokenizer.json: " + where + " is no object");
    return Fields(json, std::move(where));
  }

  const std::string& where() const { return where_; }
  // The member, or null when it is absent or null.
  const Json* Find(const char* name) const {
    const auto it = json_.find(name);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }
  Result<std::string> String(const char* name) const {
    const Json* value = Find(name);
    if (value == nullptr || !value->is_string()) return Wrong(name, "a string");
    return value->get<std::string>();
  }
  Result<std::string> StringOr(const char* name, std::string fallback) const {
    return Find(name) == nullptr ? Result<std::string>(std::move(fallback)) : String(name);
  }
  Result<bool> BoolOr(const char* name, bool fallback) const {
    const Json* value = Find(name);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) return Wrong(name, "a boolean");
    return value->get<bool>();
  }
  Result<int64_t> IntOr(const char* name, int64_t fallback) const {
    const Json* value = Find(name);
    if (value == nullptr) return fallback;
    if (!value->is_number_integer()) return Wrong(name, "an integer");
    if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX)
      return Wrong(name, "a smaller integer");
    return value->get<int64_t>();
  }
  Result<const Json*> Array(const char* name) const {
    const Json* value = Find(name);
    if (value == nullptr || !value->is_array()) return Wrong(name, "an array");
    return value;
  }
  Status Wrong(const char* name, std::string_view expected) const {
    return DataLoss("tokenizer.json: " + where_ + "." + name + " must be " + std::string(expected));
  }

 private:
  Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}
  const Json& json_;
  std::string where_;
};

}  // namespace galen::text
