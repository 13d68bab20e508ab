// What is said of the media that a model gets, for programs.
#pragma once

#include <string>

#include "base/json.h"
#include "recipes/media_input.h"
#include "recipes/recipe.h"

namespace galen {

// {"recipe": {name, version, source, official}, "images": [{source, width, height, recipe,
// to_source}], "pan_and_scan", "facts": [{name, value}], "warnings", "digest"}.
Json MediaReport(const MediaInput& input);

// [{recipe, official, title, source, note}] of the built-in ones.
Json RecipeList();

// File names may be in any encoding: what is no UTF-8 is replaced.
std::string DumpReport(const Json& json, int indent);

}  // namespace galen
