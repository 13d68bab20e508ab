// Boxes in an answer: on the source's pixels, drawn for people.
#pragma once

#include <string>

#include "base/json.h"
#include "recipes/media_input.h"

namespace galen::cli {

// Reads the boxes of the answer (recipes/boxes.h), draws them with their labels into the file
// `png`, and returns {"source", "width", "height", "png", "boxes": [{"label", "box": [x0, y0, x1,
// y1]}], "warnings"} in pixels of the source. The picture is the source; where that is no single
// picture (a slide), what the model saw of it. An answer without boxes is no error: "warnings" says
// so and "png" is null. kInvalidArgument: not one image.
Result<Json> DrawAnswerBoxes(const std::string& answer, const MediaInput& input,
                             const std::string& png);

}  // namespace galen::cli
