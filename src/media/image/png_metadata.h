// The orientation that a PNG may carry: its eXIf chunk, or the text chunks where ImageMagick and
// Adobe put the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace galen {

// Sets exif from eXIf or, without that, from the text "Raw profile type exif" (hexadecimal), and
// xmp from the text "XML:com.adobe.xmp". Chunks before and after the pixels count; broken ones are
// passed over.
void ReadPngMetadata(std::span<const uint8_t> bytes, std::string* exif, std::string* xmp);

}  // namespace galen
