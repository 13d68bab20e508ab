// What `look` and `run` say of the media that a model gets.
#pragma once

#include "recipes/report.h"

namespace galen::cli {

// On standard error, a line each.
void ShowWarnings(const MediaInput& input);

}  // namespace galen::cli
