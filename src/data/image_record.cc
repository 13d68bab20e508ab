#include "data/image_record.h"

#include <set>

namespace galen {
namespace {

Result<std::string> TextOf(const OrderedJson& line, const char* key) {
  const auto value = line.is_object() ? line.find(key) : line.end();
  if (!line.is_object() || value == line.end() || !value->is_string() ||
      value->get_ref<const std::string&>().empty()) {
    return InvalidArgument(std::string("has no \"") + key + "\"");
  }
  return value->get<std::string>();
}

Result<int8_t> LabelOf(const OrderedJson& value) {
  if (value.is_null()) return int8_t{-1};
  if (value.is_boolean()) return static_cast<int8_t>(value.get<bool>() ? 1 : 0);
  if (value.is_number() && (value == 0 || value == 1)) return value.get<int8_t>();
  return InvalidArgument(
      "a label is neither 1 nor 0 (true, false); write null where it is not known");
}

}  // namespace

Result<LabelledImage> ToLabelledImage(const OrderedJson& line) {
  LabelledImage record;
  ASSIGN_OR_RETURN(record.image, TextOf(line, "image"));
  const auto labels = line.find("labels");
  if (labels == line.end() || !(labels->is_array() || labels->is_object())) {
    return InvalidArgument(R"(has no "labels": a list of names, or {"name": 1, 0 or null})");
  }
  record.complete = labels->is_array();
  std::set<std::string> seen;
  for (const auto& [key, value] : labels->items()) {
    std::string name = key;
    int8_t label = 1;
    if (record.complete) {
      if (!value.is_string()) return InvalidArgument("\"labels\" lists what is no name");
      name = value.get<std::string>();
    } else {
      ASSIGN_OR_RETURN(label, LabelOf(value));
    }
    if (name.empty()) return InvalidArgument("a label has no name");
    if (seen.insert(name).second) record.labels.emplace_back(std::move(name), label);
  }
  return record;
}

Result<CaptionedImage> ToCaptionedImage(const OrderedJson& line) {
  CaptionedImage record;
  ASSIGN_OR_RETURN(record.image, TextOf(line, "image"));
  ASSIGN_OR_RETURN(record.text, TextOf(line, "text"));
  return record;
}

}  // namespace galen
