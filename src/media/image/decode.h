// Image files to pixels: the bytes that Pillow 13 gives for
//   ImageOps.exif_transpose(Image.open(file)).convert("RGB")
// Formats: JPEG, PNG, WebP, TIFF, GIF, BMP, told by their first bytes. docs/media.md ("Images")
// lists the rules and where galen refuses what Pillow lets pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

struct DecodeOptions {
  // Width times height of one frame. Pillow's Image.MAX_IMAGE_PIXELS is 1 GiB / 4 / 3; from twice
  // that on it raises DecompressionBombError.
  int64_t max_pixels = 2 * int64_t{89478485};
  // Of the file, the pipe or the data URL.
  size_t max_bytes = size_t{1} << 30;
  // Page of a TIFF, frame of a GIF or an animated WebP, from 0.
  int64_t frame = 0;
};

enum class ImageFormat { kJpeg, kPng, kWebp, kTiff, kGif, kBmp };
std::string_view ImageFormatName(ImageFormat format);  // "JPEG", ...

// What the header says, nothing decoded.
struct ImageInfo {
  ImageFormat format = ImageFormat::kPng;
  int64_t width = 0;  // as stored, before the orientation is applied
  int64_t height = 0;
  int64_t frames = 1;
};

// InvalidArgument: no such frame; DataLoss: none of the formats, truncated or corrupt; Unsupported:
// a kind that galen does not read; ResourceExhausted: above a limit. Warnings, if given, receive
// "name: text" for what a reader should know, such as "grey16_clipped: ...".
Result<Image> DecodeImage(std::span<const uint8_t> bytes, const DecodeOptions& options = {},
                          std::vector<std::string>* warnings = nullptr);
Result<ImageInfo> ProbeImage(std::span<const uint8_t> bytes);

// A file, a pipe, or standard input ("-"). Errors and warnings name the path.
Result<Image> ReadImage(const std::string& path, const DecodeOptions& options = {},
                        std::vector<std::string>* warnings = nullptr);

// The bytes of "data:[<type>][;base64],<data>" (RFC 2397). The type is not checked: the bytes tell
// the format.
Result<std::vector<uint8_t>> DecodeDataUrl(std::string_view url,
                                           size_t max_bytes = size_t{1} << 30);

}  // namespace galen
