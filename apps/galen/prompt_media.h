// How a model's image processor is to see images.
#pragma once

#include <CLI/CLI.hpp>

#include "extract/media_prompt.h"

namespace galen::cli {

void AddImageOptions(CLI::App& verb, ImageOptions* options);

}  // namespace galen::cli
