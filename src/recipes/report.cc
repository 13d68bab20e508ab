#include "recipes/report.h"

namespace galen {

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

Json BoxReport(const std::string& answer, const SeenImage& seen, std::vector<LabelledBox>* boxes) {
  Json report = {{"source", seen.source},
                 {"width", seen.to_source.source_width},
                 {"height", seen.to_source.source_height},
                 {"boxes", Json::array()},
                 {"warnings", Json::array()}};
  Result<BoxAnswer> found = ParseBoxes(answer);
  if (!found.ok()) {
    report["warnings"].push_back(found.status().message());
    return report;
  }
  MapBoxes(seen, &found->boxes);
  for (const LabelledBox& box : found->boxes) {
    const Box& s = box.source;
    report["boxes"].push_back({{"label", box.label}, {"box", {s.x0, s.y0, s.x1, s.y1}}});
  }
  report["warnings"] = found->warnings;
  if (boxes != nullptr) *boxes = std::move(found->boxes);
  return report;
}

Json RecipeList() {
  Json list = Json::array();
  for (const Recipe& recipe : BuiltinRecipes()) {
    list.push_back({{"recipe", recipe.Id()},
                    {"official", recipe.official},
                    {"title", recipe.title},
                    {"source", recipe.source},
                    {"note", recipe.note}});
  }
  return list;
}

std::string DumpReport(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace galen
