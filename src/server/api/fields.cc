#include "server/api/fields.h"

#include <algorithm>
#include <cmath>

namespace galen::server {
namespace {

std::string Number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", x);
  return text;
}

}  // namespace

Fields::Fields(const OrderedJson& object, std::string where, std::string* failed)
    : object_(object), where_(std::move(where)), failed_(failed) {}

std::string Fields::Name(std::string_view key) const {
  return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
}

Status Fields::Fail(std::string_view key, const std::string& what) {
  *failed_ = Name(key);
  return InvalidArgument("'" + *failed_ + "' " + what);
}

Status Fields::Check() const {
  if (object_.is_object()) return OkStatus();
  *failed_ = where_;
  return InvalidArgument((where_.empty() ? "the body" : "'" + where_ + "'") +
                         " must be a JSON object, not " + object_.type_name());
}

const OrderedJson* Fields::Find(std::string_view key) {
  known_.emplace(key);
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

Status Fields::String(std::string_view key, std::string* value) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  if (!json->is_string())
    return Fail(key, std::string("must be a string, not ") + json->type_name());
  *value = json->get<std::string>();
  return OkStatus();
}

Status Fields::Bool(std::string_view key, bool* value) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  if (!json->is_boolean())
    return Fail(key, std::string("must be true or false, not ") + json->type_name());
  *value = json->get<bool>();
  return OkStatus();
}

Status Fields::Int(std::string_view key, int64_t low, int64_t high, int64_t* value) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  double x = 0;
  if (json->is_number()) x = json->get<double>();
  // 2^53: whole numbers are exact below it.
  if (!json->is_number() || std::floor(x) != x || std::fabs(x) > 9007199254740992.0)
    return Fail(key, "must be a whole number");
  const auto n = json->is_number_float() ? static_cast<int64_t>(x) : json->get<int64_t>();
  if (n < low || n > high) {
    return Fail(key, "is " + std::to_string(n) + "; it must be from " + std::to_string(low) +
                         " to " + std::to_string(high));
  }
  *value = n;
  return OkStatus();
}

Status Fields::Number(std::string_view key, double low, double high, float* value) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  if (!json->is_number())
    return Fail(key, std::string("must be a number, not ") + json->type_name());
  const double x = json->get<double>();
  if (!(x >= low && x <= high)) {
    return Fail(key, "is " + server::Number(x) + "; it must be from " + server::Number(low) +
                         " to " + server::Number(high));
  }
  *value = static_cast<float>(x);
  return OkStatus();
}

Status Fields::Strings(std::string_view key, size_t most, std::vector<std::string>* value) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  value->clear();
  if (json->is_string()) {
    value->push_back(json->get<std::string>());
    return OkStatus();
  }
  const bool good =
      json->is_array() && json->size() <= most &&
      std::all_of(json->begin(), json->end(), [](const auto& s) { return s.is_string(); });
  if (!good) {
    return Fail(key,
                "must be a string or an array of at most " + std::to_string(most) + " strings");
  }
  for (const auto& item : *json) value->push_back(item.template get<std::string>());
  return OkStatus();
}

const OrderedJson* Fields::Any(std::string_view key) { return Find(key); }

const OrderedJson* Fields::Object(std::string_view key, Status* status) {
  const OrderedJson* json = Find(key);
  if (json == nullptr || json->is_object()) return json;
  *status = Fail(key, std::string("must be an object, not ") + json->type_name());
  return nullptr;
}

const OrderedJson* Fields::Array(std::string_view key, Status* status) {
  const OrderedJson* json = Find(key);
  if (json == nullptr || json->is_array()) return json;
  *status = Fail(key, std::string("must be an array, not ") + json->type_name());
  return nullptr;
}

void Fields::Accept(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) known_.emplace(key);
}

Status Fields::AcceptStrings(std::initializer_list<std::string_view> keys) {
  std::string value;
  for (std::string_view key : keys) RETURN_IF_ERROR(String(key, &value));
  return OkStatus();
}

Status Fields::AcceptBools(std::initializer_list<std::string_view> keys) {
  bool value = false;
  for (std::string_view key : keys) RETURN_IF_ERROR(Bool(key, &value));
  return OkStatus();
}

Status Fields::Refuse(std::string_view key, const char* why,
                      std::initializer_list<OrderedJson> neutral) {
  const OrderedJson* json = Find(key);
  if (json == nullptr) return OkStatus();
  for (const OrderedJson& value : neutral) {
    if (*json == value) return OkStatus();
  }
  return Fail(key, std::string("is not supported: ") + why);
}

Status Fields::Finish() {
  for (const auto& [key, value] : object_.items()) {
    if (known_.find(key) != known_.end()) continue;
    *failed_ = Name(key.size() > 64 ? key.substr(0, 64) : key);
    return InvalidArgument("'" + *failed_ + "' is no field that this endpoint knows");
  }
  return OkStatus();
}

Result<OrderedJson> ParseBody(const std::string& body, int max_depth) {
  if (body.empty()) return InvalidArgument("missing request body");
  Result<OrderedJson> json = ParseOrderedJson(body, max_depth);
  if (json.ok()) return json;
  // The library quotes what it read last.
  std::string message = json.status().message();
  if (const size_t quote = message.find("; last read"); quote != message.npos)
    message.resize(quote);
  return InvalidArgument(message);
}

}  // namespace galen::server
