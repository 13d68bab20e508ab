#include "media/dicom/native_pixels.h"

#include <cstring>
#include <string>

#include "media/dicom/sample_bits.h"

namespace galen::dicom {
namespace {

Status Short(int64_t i, int64_t need, size_t have) {
  return DataLoss("pixel data is cut off: frame " + std::to_string(i) + " ends at byte " +
                  std::to_string(need) + ", the file has " + std::to_string(have));
}

std::vector<uint8_t> UnpackBits(std::span<const uint8_t> pixels, int64_t first, int64_t count) {
  std::vector<uint8_t> out(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) {
    const int64_t bit = first + k;
    out[static_cast<size_t>(k)] = pixels[static_cast<size_t>(bit / 8)] >> (bit % 8) & 1;
  }
  return out;
}

void SwapBytes(std::vector<uint8_t>* bytes, size_t width) {
  for (size_t at = 0; at + width <= bytes->size(); at += width) {
    for (size_t k = 0; k < width / 2; ++k)
      std::swap((*bytes)[at + k], (*bytes)[at + width - 1 - k]);
  }
}

// Y0 Y1 Cb Cr per pair of pixels -> Y Cb Cr per pixel.
std::vector<uint8_t> Unshare(std::span<const uint8_t> shared) {
  std::vector<uint8_t> out(shared.size() / 4 * 6);
  for (size_t pair = 0; pair < shared.size() / 4; ++pair) {
    const uint8_t* in = shared.data() + 4 * pair;
    uint8_t* to = out.data() + 6 * pair;
    to[0] = in[0];
    to[3] = in[1];
    to[1] = to[4] = in[2];
    to[2] = to[5] = in[3];
  }
  return out;
}

}  // namespace

std::vector<uint8_t> Interleave(std::span<const uint8_t> planes, int64_t pixels, int samples,
                                int bytes_per_sample) {
  std::vector<uint8_t> out(planes.size());
  const size_t width = static_cast<size_t>(bytes_per_sample);
  const size_t n = static_cast<size_t>(pixels);
  for (size_t s = 0; s < static_cast<size_t>(samples); ++s) {
    for (size_t p = 0; p < n; ++p) {
      std::memcpy(&out[(p * static_cast<size_t>(samples) + s) * width],
                  &planes[(s * n + p) * width], width);
    }
  }
  return out;
}

Result<std::vector<uint8_t>> DecodeNative(std::span<const uint8_t> pixels, int64_t i,
                                          const PixelFormat& format, bool big_endian, bool words) {
  // At most 2^31 frames of 2^37 bits: no product overflows.
  if (format.bits_allocated == 1) {
    if (format.samples != 1) return Unsupported("DICOM image of packed bits with several samples");
    const int64_t first = i * format.pixels();
    const int64_t need = (first + format.pixels() + 7) / 8;
    if (static_cast<uint64_t>(need) > pixels.size()) return Short(i, need, pixels.size());
    return UnpackBits(pixels, first, format.pixels());
  }
  const bool shared = format.subsampled();
  if (shared && (format.bits_allocated != 8 || format.samples != 3 || format.columns % 2 != 0 ||
                 format.planar)) {
    return Unsupported("uncompressed YBR_FULL_422 that is not 8 bits, interleaved, of even width");
  }
  const int64_t size = shared ? format.pixels() * 2 : format.frame_bytes();
  if (i > INT64_MAX / size - 1) return Short(i, INT64_MAX, pixels.size());
  const int64_t need = (i + 1) * size;
  if (static_cast<uint64_t>(need) > pixels.size()) return Short(i, need, pixels.size());
  const size_t begin = static_cast<size_t>(i * size);
  std::vector<uint8_t> out(static_cast<size_t>(size));
  if (big_endian && words && format.bits_allocated == 8) {
    for (size_t k = 0; k < out.size(); ++k) {
      const size_t from = (begin + k) ^ 1;
      out[k] = from < pixels.size() ? pixels[from] : 0;
    }
  } else {
    std::memcpy(out.data(), pixels.data() + begin, out.size());
  }
  const int width = format.bytes_per_sample();
  if (big_endian && width > 1) SwapBytes(&out, static_cast<size_t>(width));
  if (shared) out = Unshare(out);
  if (format.planar) out = Interleave(out, format.pixels(), format.samples, width);
  return out;
}

}  // namespace galen::dicom
