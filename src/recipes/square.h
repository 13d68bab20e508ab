// Padding to a square.
#pragma once

#include "recipes/media_input.h"

namespace galen {

// Adds black to the shorter side of seen->image, floor(d / 2) of the missing d before and the rest
// after, and keeps seen->to_source right: as the localisation notebook pads.
void PadToSquare(SeenImage* seen);

}  // namespace galen
