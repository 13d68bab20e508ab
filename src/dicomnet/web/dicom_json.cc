#include "dicomnet/web/dicom_json.h"

#include <algorithm>
#include <charconv>

namespace galen::dicomnet {
namespace {

constexpr int kMostDepth = 32;
constexpr int64_t kMostValues = 500'000;
constexpr size_t kMostText = 1024;

// The array of an element's values, or null.
const Json* ValuesOf(const Json& data_set, const char* tag) {
  if (!data_set.is_object()) return nullptr;
  const auto element = data_set.find(tag);
  if (element == data_set.end() || !element->is_object()) return nullptr;
  const auto values = element->find("Value");
  return values != element->end() && values->is_array() ? &*values : nullptr;
}

std::string WithoutPadding(std::string_view whole) {
  size_t size = std::min(whole.size(), kMostText);
  // Not within a character of UTF-8.
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  while (size > 0 && size < whole.size() && continues(whole[size])) --size;
  std::string text(whole.substr(0, size));
  const size_t end = text.find_last_not_of(std::string_view(" \0", 2));
  text.resize(end == text.npos ? 0 : end + 1);
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

}  // namespace

Result<std::vector<Json>> ParseDicomJson(std::string_view text) {
  std::vector<Json> sets;
  if (text.find_first_not_of(" \t\r\n") == text.npos) return sets;
  Result<Json> json = ParseJson(text, kMostDepth, kMostValues);
  if (json.status().code() == StatusCode::kResourceExhausted)
    return DataLoss("the answer has more than " + std::to_string(kMostValues) + " values");
  if (!json.ok()) return DataLoss("the answer is no JSON");  // without what stands in it
  if (json->is_object()) {
    sets.push_back(*std::move(json));
    return sets;
  }
  if (!json->is_array()) return DataLoss("the answer is no array of data sets");
  for (Json& set : *json) {
    if (!set.is_object()) return DataLoss("the answer is no array of data sets");
    sets.push_back(std::move(set));
  }
  return sets;
}

std::vector<std::string> JsonTexts(const Json& data_set, const char* tag, size_t most) {
  std::vector<std::string> texts;
  const Json* values = ValuesOf(data_set, tag);
  if (values == nullptr) return texts;
  for (const Json& value : *values) {
    if (texts.size() >= most) break;
    const Json* one = &value;
    if (value.is_object() && value.contains("Alphabetic")) one = &value["Alphabetic"];
    if (one->is_string()) texts.push_back(WithoutPadding(one->get_ref<const std::string&>()));
    if (one->is_number()) texts.push_back(one->dump());
  }
  return texts;
}

std::string JsonText(const Json& data_set, const char* tag) {
  const std::vector<std::string> texts = JsonTexts(data_set, tag, 1);
  return texts.empty() ? "" : texts.front();
}

int64_t JsonCount(const Json& data_set, const char* tag) {
  const std::string text = JsonText(data_set, tag);
  int64_t count = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), count);
  return code == std::errc() && end == text.data() + text.size() && count > 0 ? count : 0;
}

std::vector<const Json*> JsonItems(const Json& data_set, const char* tag) {
  std::vector<const Json*> items;
  const Json* values = ValuesOf(data_set, tag);
  if (values == nullptr) return items;
  for (const Json& value : *values) {
    if (value.is_object()) items.push_back(&value);
  }
  return items;
}

}  // namespace galen::dicomnet
