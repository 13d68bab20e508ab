// A page for people: every image that a model sees, with its source, and the words around them.
#pragma once

#include <string>
#include <vector>

#include "recipes/media_input.h"

namespace galen::cli {

// HTML without scripts and without anything from elsewhere. pngs[i] is the file of images[i],
// overviews[i] that of input.overviews[i], relative to the page.
std::string GalleryPage(const MediaInput& input, const std::vector<std::string>& pngs,
                        const std::vector<std::string>& overviews);

}  // namespace galen::cli
