// What `look` and `run` say of the media that a model gets.
#pragma once

#include "base/json.h"
#include "recipes/media_input.h"

namespace galen::cli {

// {"recipe": {name, version, source, official}, "images": [{source, width, height, recipe,
// to_source}], "pan_and_scan", "facts": [{name, value}], "warnings", "digest"}.
Json MediaReport(const MediaInput& input);

// On standard error, a line each.
void ShowWarnings(const MediaInput& input);

// File names may be in any encoding: what is no UTF-8 is replaced.
std::string DumpReport(const Json& json, int indent);

}  // namespace galen::cli
