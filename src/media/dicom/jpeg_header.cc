#include "media/dicom/jpeg_header.h"

#include <cstring>
#include <string>

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

constexpr int kMaxScans = 100;

// Scans of a stream. In entropy-coded data FF is followed by 00, so that FF DA is a marker there.
int CountScans(std::span<const uint8_t> bytes) {
  int scans = 0;
  const uint8_t* end = bytes.data() + bytes.size();
  for (const uint8_t* p = bytes.data(); end - p >= 2; ++p) {
    p = static_cast<const uint8_t*>(std::memchr(p, 0xFF, static_cast<size_t>(end - p - 1)));
    if (p == nullptr) break;
    scans += p[1] == 0xDA;
  }
  return scans;
}

bool IsFrameHeader(int marker) {
  if (marker == 0xF7) return true;
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Status Check(const JpegHeader& header, const PixelFormat& format) {
  if (header.rows != format.rows || header.columns != format.columns ||
      header.components != format.samples) {
    return DataLoss("the compressed frame is " + std::to_string(header.columns) + " x " +
                    std::to_string(header.rows) + " x " + std::to_string(header.components) +
                    ", the image " + std::to_string(format.columns) + " x " +
                    std::to_string(format.rows) + " x " + std::to_string(format.samples));
  }
  if (header.precision < 2 || header.precision > 16 ||
      (header.precision + 7) / 8 > format.bytes_per_sample() || format.bits_allocated == 1) {
    return DataLoss("the compressed frame has " + std::to_string(header.precision) +
                    " bits, the image allocates " + std::to_string(format.bits_allocated));
  }
  return OkStatus();
}

}  // namespace

bool JpegHeader::rgb_ids() const {
  return components == 3 && (std::memcmp(ids, "RGB", 3) == 0 || std::memcmp(ids, "rgb", 3) == 0);
}

Result<JpegHeader> ReadJpegHeader(std::span<const uint8_t> bytes, const PixelFormat& format) {
  if (bytes.size() < 4 || bytes[0] != 0xFF || bytes[1] != 0xD8)
    return DataLoss("the compressed frame is no JPEG stream");
  JpegHeader header;
  size_t at = 2;
  while (bytes.size() - at >= 4) {
    if (bytes[at] != 0xFF)
      return DataLoss("a JPEG marker is missing at byte " + std::to_string(at));
    const int marker = bytes[at + 1];
    if (marker == 0xFF || marker == 0x01 ||
        (marker >= 0xD0 && marker <= 0xD8)) {  // fill bytes and markers without length
      at += marker == 0xFF ? 1 : 2;
      continue;
    }
    const size_t length = Load<uint16_t>(bytes.data() + at + 2, true);
    if (length < 2 || length > bytes.size() - at - 2)
      return DataLoss("a JPEG segment is cut off at byte " + std::to_string(at));
    const std::span<const uint8_t> body = bytes.subspan(at + 4, length - 2);
    if (marker == 0xE0 && body.size() >= 5 && std::memcmp(body.data(), "JFIF", 5) == 0)
      header.jfif = true;
    if (marker == 0xEE && body.size() >= 12 && std::memcmp(body.data(), "Adobe", 5) == 0)
      header.adobe_transform = body[11];
    if (marker == 0xDA) break;
    if (IsFrameHeader(marker)) {
      if (body.size() < 6) return DataLoss("the JPEG frame header is cut off");
      header.process = marker;
      header.precision = body[0];
      header.rows = Load<uint16_t>(body.data() + 1, true);
      header.columns = Load<uint16_t>(body.data() + 3, true);
      header.components = body[5];
      if (header.components > 4 || body.size() < 6 + 3 * static_cast<size_t>(header.components)) {
        return DataLoss("the JPEG frame header is cut off");
      }
      for (int c = 0; c < header.components; ++c)
        header.ids[c] = body[6 + 3 * static_cast<size_t>(c)];
      RETURN_IF_ERROR(Check(header, format));
      if (CountScans(bytes) > kMaxScans) {
        return ResourceExhausted("JPEG frame of more than " + std::to_string(kMaxScans) + " scans");
      }
      return header;
    }
    at += 2 + length;
  }
  return DataLoss("the compressed frame has no JPEG frame header");
}

}  // namespace galen::dicom
