#include "base/json.h"

namespace galen {

Result<Json> ParseJson(std::string_view text, int max_depth) {
  bool too_deep = false;
  const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > max_depth) too_deep = true;
    return !too_deep;
  };
  try {
    Json value = Json::parse(text.begin(), text.end(), limit_depth);
    if (too_deep) {
      return DataLoss("JSON is nested deeper than " + std::to_string(max_depth) + " levels");
    }
    return value;
  } catch (const Json::exception& error) {
    return DataLoss(std::string("invalid JSON: ") + error.what());
  }
}

}  // namespace galen
