// Pillow's convert("RGB"), mode by mode.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"
#include "media/image/raster.h"

namespace galen {

// Alpha is dropped, not blended; greys above 255 become 255. Where that loses what a reader would
// want, a warning says so. Takes the pixels over where they are RGB already. warnings may be null.
Result<Image> ConvertToRgb(Raster raster, std::vector<std::string>* warnings);

}  // namespace galen
