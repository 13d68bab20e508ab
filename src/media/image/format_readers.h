// One reader a format. Each takes the whole file, checks every size in it, and neither prints nor
// exits; the library behind it is named in its file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/image/decode.h"
#include "media/image/raster.h"

namespace galen {

using Bytes = std::span<const uint8_t>;
using Warnings = std::vector<std::string>;

struct FormatReader {
  ImageFormat format;
  bool (*accepts)(Bytes bytes);  // by the first bytes
  Result<ImageInfo> (*probe)(Bytes bytes);
  Result<Raster> (*decode)(Bytes bytes, const DecodeOptions& options, Warnings* warnings);
};

extern const FormatReader kJpegReader;
extern const FormatReader kPngReader;
extern const FormatReader kWebpReader;
extern const FormatReader kTiffReader;
extern const FormatReader kGifReader;
extern const FormatReader kBmpReader;

// "frame 3 of a file with 2": the error of a frame that is not there; ok where it is.
Status CheckFrame(int64_t frame, int64_t frames);
// warnings may be null.
void Warn(Warnings* warnings, std::string text);

}  // namespace galen
