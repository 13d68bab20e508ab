#include "media/image/decode.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/files.h"
#include "media/image/convert.h"
#include "media/image/format_readers.h"
#include "media/image/orientation.h"

namespace galen {
namespace {

constexpr std::array kReaders = {&kJpegReader, &kPngReader, &kWebpReader,
                                 &kTiffReader, &kGifReader, &kBmpReader};

Result<const FormatReader*> FindReader(Bytes bytes) {
  if (bytes.empty()) return DataLoss("the image is empty");
  for (const FormatReader* reader : kReaders) {
    if (reader->accepts(bytes)) return reader;
  }
  return DataLoss("not an image that galen reads (JPEG, PNG, WebP, TIFF, GIF or BMP)");
}

}  // namespace

std::string_view ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kTiff:
      return "TIFF";
    case ImageFormat::kGif:
      return "GIF";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "";
}

Status CheckFrame(int64_t frame, int64_t frames) {
  if (frame >= 0 && frame < frames) return OkStatus();
  return InvalidArgument("frame " + std::to_string(frame) + " of an image with " +
                         std::to_string(frames) + " (counted from 0)");
}

void Warn(Warnings* warnings, std::string text) {
  if (warnings != nullptr) warnings->push_back(std::move(text));
}

Result<Image> DecodeImage(std::span<const uint8_t> bytes, const DecodeOptions& options,
                          std::vector<std::string>* warnings) {
  if (options.frame < 0) return CheckFrame(options.frame, 1);
  if (bytes.size() > options.max_bytes) {
    return ResourceExhausted("the image file has " + std::to_string(bytes.size()) +
                             " bytes, the limit is " + std::to_string(options.max_bytes));
  }
  ASSIGN_OR_RETURN(const FormatReader* reader, FindReader(bytes));
  Result<Raster> raster = reader->decode(bytes, options, warnings);
  if (!raster.ok()) return raster.status().WithContext(ImageFormatName(reader->format));
  const int orientation =
      raster->orientation != 0 ? raster->orientation : FindOrientation(raster->exif, raster->xmp);
  ASSIGN_OR_RETURN(Image image, ConvertToRgb(*std::move(raster), warnings));
  return ApplyOrientation(std::move(image), orientation);
}

Result<ImageInfo> ProbeImage(std::span<const uint8_t> bytes) {
  ASSIGN_OR_RETURN(const FormatReader* reader, FindReader(bytes));
  Result<ImageInfo> info = reader->probe(bytes);
  if (!info.ok()) return info.status().WithContext(ImageFormatName(reader->format));
  if (info->width <= 0 || info->height <= 0) {
    return DataLoss(std::string(ImageFormatName(reader->format)) + ": the header claims no pixels");
  }
  return info;
}

Result<Image> ReadImage(const std::string& path, const DecodeOptions& options,
                        std::vector<std::string>* warnings) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, options.max_bytes));
  std::vector<std::string> found;
  Result<Image> image = DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                                    options, warnings != nullptr ? &found : nullptr);
  for (std::string& text : found) warnings->push_back(std::move(text) + " (" + path + ")");
  if (!image.ok()) return image.status().WithContext(path);
  return image;
}

}  // namespace galen
