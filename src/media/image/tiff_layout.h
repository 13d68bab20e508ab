// How the samples of a TIFF lie in its rows, and what they mean: the combinations of Pillow's
// TiffImagePlugin.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "media/image/raster.h"

namespace galen {

// Tags of one directory (TIFF 6.0, section 8).
struct TiffTags {
  uint32_t photometric = 0;  // absent: white is zero, as in Pillow
  uint32_t bits = 1;
  uint32_t samples = 1;
  uint32_t format = 1;           // SampleFormat: 1 unsigned, 2 signed, 3 floating-point
  std::vector<uint16_t> extras;  // ExtraSamples
  bool planar = false;
};

struct TiffLayout {
  PixelMode mode = PixelMode::kL;
  uint32_t bits = 8;
  uint32_t samples = 1;        // of one pixel in a row as stored: 1 where planes are apart
  uint32_t planes = 1;         // to read, each into its own channel
  bool is_signed = false;      // 16 bits
  bool invert = false;         // white is zero
  bool premultiplied = false;  // by alpha, the last channel of mode
};

Result<TiffLayout> FindTiffLayout(const TiffTags& tags);

// Pixels of one stored row into mode's bytes; for planes apart, into channel `plane`.
void UnpackTiffRow(const TiffLayout& layout, const uint8_t* in, int64_t pixels, uint32_t plane,
                   uint8_t* out);
// Divides the colours by alpha where they were multiplied by it.
void UndoPremultiplied(Raster* raster);

}  // namespace galen
