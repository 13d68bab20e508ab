#include "base/json.h"

namespace galen {

Result<Json> ParseJson(std::string_view text, int max_depth, int64_t max_values) {
  using Event = Json::parse_event_t;
  bool too_deep = false;
  int64_t values = 0;
  const auto limit = [&](int depth, Event event, Json&) {
    if (depth > max_depth) too_deep = true;
    if (event == Event::value || event == Event::object_start || event == Event::array_start)
      ++values;
    return !too_deep && values <= max_values;
  };
  try {
    Json value = Json::parse(text.begin(), text.end(), limit);
    if (values > max_values)
      return ResourceExhausted("JSON of more than " + std::to_string(max_values) + " values");
    if (too_deep) {
      return DataLoss("JSON is nested deeper than " + std::to_string(max_depth) + " levels");
    }
    return value;
  } catch (const Json::exception& error) {
    return DataLoss(std::string("invalid JSON: ") + error.what());
  }
}

}  // namespace galen
