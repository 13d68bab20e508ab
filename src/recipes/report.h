// What is said of the media that a model gets, for programs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "recipes/boxes.h"
#include "recipes/media_input.h"
#include "recipes/recipe.h"

namespace galen {

// {"recipe": {name, version, source, official}, "images": [{source, width, height, recipe,
// to_source}], "pan_and_scan", "facts": [{name, value}], "warnings", "digest"}.
Json MediaReport(const MediaInput& input);

// What an answer about one image says of places in it: {"source", "width", "height", "boxes":
// [{"label", "box": [x0, y0, x1, y1]}], "warnings"} in pixels of the source. Of `seen` the pixels
// are not looked at. An answer without boxes is no error: "warnings" says so. `boxes`, if given,
// receives them.
Json BoxReport(const std::string& answer, const SeenImage& seen,
               std::vector<LabelledBox>* boxes = nullptr);

// [{recipe, official, title, source, note}] of the built-in ones.
Json RecipeList();

// File names may be in any encoding: what is no UTF-8 is replaced.
std::string DumpReport(const Json& json, int indent);

}  // namespace galen
