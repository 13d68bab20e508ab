#include "media/dicom/rle.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

constexpr size_t kHeader = 64;  // the number of segments and 15 offsets

// Unpacks one segment into every `stride`-th byte of out. Literal runs: 0..127; repeats: -1..-127;
// -128 is nothing.
bool Unpack(std::span<const uint8_t> packed, uint8_t* out, size_t count, size_t stride) {
  size_t made = 0;
  size_t at = 0;
  while (made < count && at < packed.size()) {
    const int code = static_cast<int8_t>(packed[at++]);
    if (code >= 0) {
      const size_t n =
          std::min<size_t>({static_cast<size_t>(code) + 1, packed.size() - at, count - made});
      for (size_t k = 0; k < n; ++k) out[(made + k) * stride] = packed[at + k];
      at += static_cast<size_t>(code) + 1;
      made += n;
      if (at > packed.size()) break;
    } else if (code != -128) {
      if (at == packed.size()) break;
      const size_t n = std::min<size_t>(static_cast<size_t>(1 - code), count - made);
      for (size_t k = 0; k < n; ++k) out[(made + k) * stride] = packed[at];
      ++at;
      made += n;
    }
  }
  return made == count;
}

}  // namespace

Result<std::vector<uint8_t>> DecodeRle(std::span<const uint8_t> bytes, const PixelFormat& format) {
  if (format.bits_allocated == 1) return Unsupported("RLE of one-bit pixels");
  if (bytes.size() < kHeader)
    return DataLoss("RLE frame of " + std::to_string(bytes.size()) + " bytes has no header");
  const size_t width = static_cast<size_t>(format.bytes_per_sample());
  const size_t samples = static_cast<size_t>(format.samples);
  const size_t segments = Load<uint32_t>(bytes.data());
  if (segments != width * samples) {
    return DataLoss("RLE frame of " + std::to_string(segments) + " segments where the image has " +
                    std::to_string(width * samples));
  }
  std::vector<uint8_t> out(static_cast<size_t>(format.frame_bytes()));
  for (size_t s = 0; s < segments; ++s) {
    const size_t begin = Load<uint32_t>(bytes.data() + 4 + 4 * s);
    const size_t end = s + 1 < segments ? Load<uint32_t>(bytes.data() + 8 + 4 * s) : bytes.size();
    if (begin < kHeader || begin > end || end > bytes.size())
      return DataLoss("RLE frame whose segments lie outside of it");
    // Segment s holds byte s % width of sample s / width, the most significant byte first.
    uint8_t* to = out.data() + s / width * width + (width - 1 - s % width);
    if (!Unpack(bytes.subspan(begin, end - begin), to, static_cast<size_t>(format.pixels()),
                width * samples)) {
      return DataLoss("RLE segment " + std::to_string(s) + " ends before the image is full");
    }
  }
  return out;
}

}  // namespace galen::dicom
