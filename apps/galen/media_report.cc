#include "media_report.h"

#include <iostream>

namespace galen::cli {

Json MediaReport(const MediaInput& input) {
  Json images = Json::array();
  for (const SeenImage& seen : input.images) {
    const PixelMap& map = seen.to_source;
    images.push_back({{"source", seen.source},
                      {"width", seen.image.width},
                      {"height", seen.image.height},
                      {"recipe", seen.recipe},
                      {"to_source",
                       {{"scale", {map.scale_x, map.scale_y}},
                        {"offset", {map.offset_x, map.offset_y}},
                        {"width", map.source_width},
                        {"height", map.source_height}}}});
  }
  Json facts = Json::array();
  for (const auto& [name, value] : input.facts) facts.push_back({{"name", name}, {"value", value}});
  return {{"recipe",
           {{"name", input.recipe},
            {"version", input.recipe_version},
            {"source", input.recipe_source},
            {"official", input.official}}},
          {"images", images},
          {"pan_and_scan", input.pan_and_scan},
          {"facts", facts},
          {"warnings", input.warnings},
          {"digest", input.digest}};
}

void ShowWarnings(const MediaInput& input) {
  for (const std::string& warning : input.warnings) std::cerr << "galen: " << warning << "\n";
}

std::string DumpReport(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace galen::cli
