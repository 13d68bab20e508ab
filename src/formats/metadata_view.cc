#include "formats/metadata_view.h"

#include <cmath>
#include <cstdio>

#include "formats/quote.h"

namespace galen {
namespace {

std::string Show(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

template <typename T>
std::string Range(T min, T max) {
  const auto show = [](T value) {
    if constexpr (std::is_same_v<T, double>)
      return Show(value);
    else
      return std::to_string(value);
  };
  return show(min) + " to " + show(max);
}

// What a value is, short enough for a message.
std::string FoundValue(const Json& value) {
  switch (value.type()) {
    case Json::value_t::array:
      return "a list of " + std::to_string(value.size());
    case Json::value_t::object:
      return "an object";
    case Json::value_t::string:
      return Quoted(value.get_ref<const std::string&>(), 60);
    case Json::value_t::null:
      return "null";
    default:
      return value.dump();
  }
}

// Whole numbers, also when written 512.0, as Python programs do after arithmetic.
bool ToInt(const Json& value, int64_t* result) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    *result = static_cast<int64_t>(number);
    return number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  }
  if (value.is_number_integer()) {
    *result = value.get<int64_t>();
    return true;
  }
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  if (std::fabs(number) > 9007199254740992.0 || std::trunc(number) != number) return false;  // 2^53
  *result = static_cast<int64_t>(number);
  return true;
}

}  // namespace

Result<int64_t> MetadataView::GetInt(std::string_view key, int64_t min, int64_t max) const {
  if (!Has(key))
    return NotFound(Describe(key) + " is missing; expected a whole number from " + Range(min, max));
  ASSIGN_OR_RETURN(const int64_t value, ReadInt(key));
  if (value < min || value > max) {
    return DataLoss(Describe(key) + " is " + std::to_string(value) +
                    "; expected a whole number from " + Range(min, max));
  }
  return value;
}

Result<int64_t> MetadataView::GetIntOr(std::string_view key, int64_t fallback, int64_t min,
                                       int64_t max) const {
  if (!Has(key)) return fallback;
  return GetInt(key, min, max);
}

Result<double> MetadataView::GetDouble(std::string_view key, double min, double max) const {
  if (!Has(key))
    return NotFound(Describe(key) + " is missing; expected a number from " + Range(min, max));
  ASSIGN_OR_RETURN(const double value, ReadDouble(key));
  if (!std::isfinite(value) || value < min || value > max) {
    return DataLoss(Describe(key) + " is " + Show(value) + "; expected a number from " +
                    Range(min, max));
  }
  return value;
}

Result<double> MetadataView::GetDoubleOr(std::string_view key, double fallback, double min,
                                         double max) const {
  if (!Has(key)) return fallback;
  return GetDouble(key, min, max);
}

Result<bool> MetadataView::GetBool(std::string_view key) const {
  if (!Has(key)) return NotFound(Describe(key) + " is missing; expected true or false");
  return ReadBool(key);
}

Result<bool> MetadataView::GetBoolOr(std::string_view key, bool fallback) const {
  if (!Has(key)) return fallback;
  return ReadBool(key);
}

Result<std::string> MetadataView::GetString(std::string_view key) const {
  if (!Has(key)) return NotFound(Describe(key) + " is missing; expected a string");
  return ReadString(key);
}

Result<std::string> MetadataView::GetStringOr(std::string_view key,
                                              std::string_view fallback) const {
  if (!Has(key)) return std::string(fallback);
  return ReadString(key);
}

Result<std::vector<int64_t>> MetadataView::GetInts(std::string_view key, int64_t min,
                                                   int64_t max) const {
  if (!Has(key)) return NotFound(Describe(key) + " is missing; expected a list of whole numbers");
  Result<std::vector<int64_t>> values = ReadInts(key);
  if (!values.ok()) return values;
  for (size_t i = 0; i < values->size(); ++i) {
    const int64_t value = (*values)[i];
    if (value < min || value > max) {
      return DataLoss(Describe(key) + ": element " + std::to_string(i) + " is " +
                      std::to_string(value) + "; expected a whole number from " + Range(min, max));
    }
  }
  return values;
}

Result<std::vector<std::string>> MetadataView::GetStrings(std::string_view key) const {
  if (!Has(key)) return NotFound(Describe(key) + " is missing; expected a list of strings");
  return ReadStrings(key);
}

// --- JSON

const Json* JsonView::Get(std::string_view key) const {
  if (!object_->is_object()) return nullptr;
  const auto it = object_->find(std::string(key));
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

bool JsonView::Has(std::string_view key) const { return Get(key) != nullptr; }

bool JsonView::IsList(std::string_view key) const {
  const Json* value = Get(key);
  return value != nullptr && value->is_array();
}

std::string JsonView::Describe(std::string_view key) const {
  return file_ + ": " + Quoted(path_ + std::string(key));
}

Status JsonView::Wrong(std::string_view key, std::string_view expected) const {
  const Json* value = Get(key);
  return DataLoss(Describe(key) + ": expected " + std::string(expected) + ", found " +
                  (value == nullptr ? "nothing" : FoundValue(*value)));
}

Result<JsonView> JsonView::Object(std::string_view key) const {
  static const Json* const kEmpty =
      new Json(Json::object());  // never destroyed: views may outlive main
  const Json* value = Get(key);
  if (value != nullptr && !value->is_object()) return Wrong(key, "an object");
  return JsonView(value == nullptr ? *kEmpty : *value, file_, path_ + std::string(key) + ".");
}

Result<int64_t> JsonView::ReadInt(std::string_view key) const {
  const Json* value = Get(key);
  int64_t result = 0;
  if (value == nullptr || !ToInt(*value, &result)) return Wrong(key, "a whole number");
  return result;
}

Result<double> JsonView::ReadDouble(std::string_view key) const {
  const Json* value = Get(key);
  if (value == nullptr || !value->is_number()) return Wrong(key, "a number");
  return value->get<double>();
}

Result<bool> JsonView::ReadBool(std::string_view key) const {
  const Json* value = Get(key);
  if (value == nullptr || !value->is_boolean()) return Wrong(key, "true or false");
  return value->get<bool>();
}

Result<std::string> JsonView::ReadString(std::string_view key) const {
  const Json* value = Get(key);
  if (value == nullptr || !value->is_string()) return Wrong(key, "a string");
  return value->get<std::string>();
}

Result<std::vector<int64_t>> JsonView::ReadInts(std::string_view key) const {
  const Json* value = Get(key);
  if (value == nullptr || !value->is_array()) return Wrong(key, "a list of whole numbers");
  std::vector<int64_t> result;
  for (const Json& element : *value) {
    int64_t number = 0;
    if (element.is_boolean()) {
      number = element.get<bool>() ? 1 : 0;
    } else if (!ToInt(element, &number)) {
      return DataLoss(Describe(key) + ": element " + std::to_string(result.size()) +
                      ": expected a whole number, found " + FoundValue(element));
    }
    result.push_back(number);
  }
  return result;
}

Result<std::vector<std::string>> JsonView::ReadStrings(std::string_view key) const {
  const Json* value = Get(key);
  if (value == nullptr || !value->is_array()) return Wrong(key, "a list of strings");
  std::vector<std::string> result;
  for (const Json& element : *value) {
    if (!element.is_string()) {
      return DataLoss(Describe(key) + ": element " + std::to_string(result.size()) +
                      ": expected a string, found " + FoundValue(element));
    }
    result.push_back(element.get<std::string>());
  }
  return result;
}

// --- GGUF

bool GgufView::Has(std::string_view key) const { return file_->Has(Key(key)); }

bool GgufView::IsList(std::string_view key) const {
  const GgufEntry* entry = file_->Find(Key(key));
  return entry != nullptr && entry->type == GgufType::kArray;
}

std::string GgufView::Describe(std::string_view key) const {
  return file_->name() + ": metadata key " + Quoted(Key(key));
}

Result<int64_t> GgufView::ReadInt(std::string_view key) const { return file_->GetInt(Key(key)); }

Result<double> GgufView::ReadDouble(std::string_view key) const {
  return file_->GetDouble(Key(key));
}

Result<bool> GgufView::ReadBool(std::string_view key) const { return file_->GetBool(Key(key)); }

Result<std::string> GgufView::ReadString(std::string_view key) const {
  ASSIGN_OR_RETURN(const std::string_view text, file_->GetString(Key(key)));
  return std::string(text);
}

Result<std::vector<int64_t>> GgufView::ReadInts(std::string_view key) const {
  return file_->GetInts(Key(key));
}

Result<std::vector<std::string>> GgufView::ReadStrings(std::string_view key) const {
  ASSIGN_OR_RETURN(const std::vector<std::string_view> views, file_->GetStrings(Key(key)));
  return std::vector<std::string>(views.begin(), views.end());
}

}  // namespace galen
