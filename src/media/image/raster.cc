#include "media/image/raster.h"

#include <new>

namespace galen {

int64_t BytesPerPixel(PixelMode mode) {
  switch (mode) {
    case PixelMode::kBit:
    case PixelMode::kL:
    case PixelMode::kP:
      return 1;
    case PixelMode::kLa:
    case PixelMode::kPa:
    case PixelMode::kI16:
      return 2;
    case PixelMode::kRgb:
    case PixelMode::kYcbcr:
    case PixelMode::kLab:
      return 3;
    case PixelMode::kRgba:
    case PixelMode::kCmyk:
    case PixelMode::kI32:
    case PixelMode::kF32:
      return 4;
  }
  return 0;
}

std::string_view PixelModeName(PixelMode mode) {
  switch (mode) {
    case PixelMode::kBit:
      return "1";
    case PixelMode::kL:
      return "L";
    case PixelMode::kLa:
      return "LA";
    case PixelMode::kP:
      return "P";
    case PixelMode::kPa:
      return "PA";
    case PixelMode::kRgb:
      return "RGB";
    case PixelMode::kRgba:
      return "RGBA";
    case PixelMode::kCmyk:
      return "CMYK";
    case PixelMode::kYcbcr:
      return "YCbCr";
    case PixelMode::kLab:
      return "LAB";
    case PixelMode::kI16:
      return "I;16";
    case PixelMode::kI32:
      return "I";
    case PixelMode::kF32:
      return "F";
  }
  return "";
}

Status CheckImageSize(int64_t width, int64_t height, int64_t max_pixels) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width <= 0 || height <= 0) return DataLoss("the header claims " + size);
  if (width > max_pixels / height) {
    return ResourceExhausted("the header claims " + size + ", the limit is " +
                             std::to_string(max_pixels) + " in all (max_pixels)");
  }
  return OkStatus();
}

Status Raster::Allocate(PixelMode new_mode, int64_t new_width, int64_t new_height,
                        int64_t max_pixels) {
  RETURN_IF_ERROR(CheckImageSize(new_width, new_height, max_pixels));
  mode = new_mode;
  width = new_width;
  height = new_height;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(width * height, BytesPerPixel(mode), &bytes)) {
    return ResourceExhausted("the image has more bytes than can be addressed");
  }
  try {
    data.assign(static_cast<size_t>(bytes), 0);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("no memory for an image of " + std::to_string(width) + " x " +
                             std::to_string(height) + " pixels");
  }
  return OkStatus();
}

}  // namespace galen
