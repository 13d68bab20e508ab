// What a format's reader hands on: pixels in the mode of the file, as Pillow would hold them, and
// what is needed to turn them upright. Reading files is decode.h's work; this header is for the
// readers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

// Pillow's modes (docs: "Concepts / Modes"). Interleaved; bytes a pixel in BytesPerPixel.
enum class PixelMode {
  kBit,    // "1": one byte, 0 or not 0
  kL,      // grey
  kLa,     // grey, alpha
  kP,      // index into the palette
  kPa,     // index, alpha
  kRgb,    //
  kRgba,   //
  kCmyk,   // 255 is full ink
  kYcbcr,  // full-range BT.601
  kLab,    // L 0..255, a and b shifted by 128
  kI16,    // uint16, native order
  kI32,    // int32
  kF32,    // float
};

int64_t BytesPerPixel(PixelMode mode);
std::string_view PixelModeName(PixelMode mode);  // "1", "L", "I;16", ...

struct Raster {
  PixelMode mode = PixelMode::kRgb;
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> data;               // [height, width, BytesPerPixel(mode)]
  std::array<uint8_t, 3 * 256> palette{};  // RGB; entries that the file lacks are black
  int orientation = 0;  // 1..8 if the format has a field for it; 0: exif and xmp may tell
  std::string exif;     // a TIFF structure, or empty
  std::string xmp;      // XML, or empty

  // Sets the size and a zeroed buffer. Fails above max_pixels or when memory is short.
  Status Allocate(PixelMode mode, int64_t width, int64_t height, int64_t max_pixels);
  uint8_t* row(int64_t y) { return data.data() + y * width * BytesPerPixel(mode); }
};

// Fails on a size of zero or above max_pixels, naming the size and the option.
Status CheckImageSize(int64_t width, int64_t height, int64_t max_pixels);

}  // namespace galen
