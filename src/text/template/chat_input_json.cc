#include "text/template/chat_input_json.h"

#include <string>

namespace galen {
namespace {

Status WrongType(const char* field, const char* expected) {
  return InvalidArgument(std::string("the field \"") + field + "\" must be " + expected);
}

Status ReadText(const OrderedJson& json, const char* field, std::optional<std::string>* out) {
  const auto it = json.find(field);
  if (it == json.end() || it->is_null()) return OkStatus();
  if (!it->is_string()) return WrongType(field, "a string");
  *out = it->get<std::string>();
  return OkStatus();
}

// [2024, 7, 26, 14, 30, 5] with a weekday and day of the year computed from the date.
Status ReadTime(const OrderedJson& json, std::tm* time) {
  if (!json.is_array() || json.size() != 6) return WrongType("now", "an array of six integers");
  int parts[6];
  for (size_t i = 0; i < 6; ++i) {
    if (!json[i].is_number_integer() || json[i].get<int64_t>() < 0 ||
        json[i].get<int64_t>() > 9999) {
      return WrongType("now", "an array of six integers");
    }
    parts[i] = json[i].get<int>();
  }
  time->tm_year = parts[0] - 1900;
  time->tm_mon = parts[1] - 1;
  time->tm_mday = parts[2];
  time->tm_hour = parts[3];
  time->tm_min = parts[4];
  time->tm_sec = parts[5];
  time->tm_isdst = 0;
  if (timegm(time) == -1 && parts[0] != 1969) return WrongType("now", "a valid date");
  return OkStatus();
}

}  // namespace

Result<ChatInput> ChatInputFromJson(const OrderedJson& json) {
  if (!json.is_object()) return InvalidArgument("a conversation's description must be an object");
  ChatInput input;
  const auto copy = [&](const char* field, OrderedJson* out) {
    const auto it = json.find(field);
    if (it != json.end()) *out = *it;
  };
  copy("messages", &input.messages);
  copy("tools", &input.tools);
  copy("documents", &input.documents);
  copy("variables", &input.variables);
  if (const auto it = json.find("add_generation_prompt"); it != json.end()) {
    if (!it->is_boolean()) return WrongType("add_generation_prompt", "true or false");
    input.add_generation_prompt = it->get<bool>();
  }
  RETURN_IF_ERROR(ReadText(json, "bos_token", &input.bos_token));
  RETURN_IF_ERROR(ReadText(json, "eos_token", &input.eos_token));
  if (const auto it = json.find("now"); it != json.end() && !it->is_null()) {
    std::tm time = {};
    RETURN_IF_ERROR(ReadTime(*it, &time));
    input.now = time;
  }
  if (const auto it = json.find("control_tokens"); it != json.end() && !it->is_null()) {
    if (!it->is_array()) return WrongType("control_tokens", "an array of strings");
    for (const auto& token : *it) {
      if (!token.is_string()) return WrongType("control_tokens", "an array of strings");
      input.control_tokens.push_back(token.get<std::string>());
    }
  }
  return input;
}

}  // namespace galen
