// CIE L*a*b* to sRGB.
#pragma once

#include "base/status.h"
#include "media/image/image.h"
#include "media/image/raster.h"

namespace galen {

// As Pillow does it: Little CMS's built-in Lab (version 2, D50) and sRGB profiles, perceptual
// intent. raster.mode is kLab.
Result<Image> LabToRgb(const Raster& raster);

}  // namespace galen
