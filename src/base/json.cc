#include "base/json.h"

#include <algorithm>

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
  } catch (const Json::parse_error& error) {
    // Where, and nothing of the text, which may be a patient's.
    const std::string_view before = text.substr(0, error.byte > 0 ? error.byte - 1 : 0);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t begin = before.rfind('\n');
    return DataLoss("invalid JSON at line " + std::to_string(line) + ", column " +
                    std::to_string(before.size() - (begin == before.npos ? 0 : begin + 1) + 1));
  } catch (const Json::exception&) {
    return DataLoss("invalid JSON");
  }
}

}  // namespace galen
