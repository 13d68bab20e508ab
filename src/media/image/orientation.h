// The Exif orientation, as Pillow's ImageOps.exif_transpose finds and applies it.
#pragma once

#include <string_view>

#include "media/image/image.h"

namespace galen {

// 1 to 8 (Exif 2.32, tag 0x0112). exif: a TIFF structure, with or without "Exif\0\0" in front. xmp
// counts only where the former has no such tag. Absent, broken or out of range: 1.
int FindOrientation(std::string_view exif, std::string_view xmp);

// Turns and mirrors so that the first row is on top. 1: unchanged.
Image ApplyOrientation(Image image, int orientation);

}  // namespace galen
