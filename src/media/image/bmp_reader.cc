// Windows and OS/2 bitmaps: the kinds that Pillow's BmpImagePlugin reads.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "media/image/bmp_rle.h"
#include "media/image/format_readers.h"

namespace galen {
namespace {

enum Compression : uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

constexpr size_t kFileHeader = 14;
constexpr uint32_t kOs2Header = 12;

struct Header {
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  int bits = 0;
  uint32_t compression = kRaw;
  uint32_t colors = 0;
  size_t color_bytes = 4;
  std::array<uint32_t, 4> masks{};  // red, green, blue, alpha
  size_t palette_at = 0;
  size_t pixels_at = 0;
};

uint32_t Read(Bytes bytes, size_t at, int size) {
  uint32_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

bool AcceptsBmp(Bytes bytes) { return bytes.size() >= 2 && bytes[0] == 'B' && bytes[1] == 'M'; }

Result<Header> ReadHeader(Bytes bytes) {
  if (bytes.size() < kFileHeader + 4) return DataLoss("truncated in the header");
  const uint32_t size = Read(bytes, kFileHeader, 4);
  constexpr std::array<uint32_t, 7> kSizes = {kOs2Header, 40, 52, 56, 64, 108, 124};
  if (std::ranges::find(kSizes, size) == kSizes.end()) {
    return Unsupported("a header of " + std::to_string(size) + " bytes");
  }
  if (bytes.size() < kFileHeader + size) return DataLoss("truncated in the header");
  const Bytes fields = bytes.subspan(kFileHeader);
  Header header;
  header.palette_at = kFileHeader + size;
  if (size == kOs2Header) {
    header.width = Read(fields, 4, 2);
    header.height = Read(fields, 6, 2);
    header.bits = static_cast<int>(Read(fields, 10, 2));
    header.color_bytes = 3;
  } else {
    const auto height = static_cast<int32_t>(Read(fields, 8, 4));
    header.width = static_cast<int32_t>(Read(fields, 4, 4));
    header.height = std::abs(int64_t{height});
    header.top_down = height < 0;
    header.bits = static_cast<int>(Read(fields, 14, 2));
    header.compression = Read(fields, 16, 4);
    header.colors = Read(fields, 32, 4);
  }
  if (header.compression == kBitFields) {
    // After a 40-byte header the masks of three colours follow; longer ones hold them, with alpha
    // from 56 bytes on.
    const size_t count = size >= 56 ? 4 : 3;
    if (bytes.size() < kFileHeader + 40 + 4 * count) return DataLoss("truncated in the masks");
    for (size_t i = 0; i < count; ++i) header.masks[i] = Read(fields, 40 + 4 * i, 4);
    if (size == 40) header.palette_at += 12;
  }
  if (header.colors == 0 && header.bits <= 8) header.colors = 1u << header.bits;
  header.pixels_at = Read(bytes, 10, 4);
  const size_t palette_bytes = header.bits <= 8 ? header.color_bytes * size_t{header.colors} : 0;
  if (header.pixels_at == 0 || (header.pixels_at == kFileHeader + size && header.bits <= 8)) {
    header.pixels_at = header.palette_at + palette_bytes;
  }
  return header;
}

Result<ImageInfo> ProbeBmp(Bytes bytes) {
  ASSIGN_OR_RETURN(const Header header, ReadHeader(bytes));
  return ImageInfo{ImageFormat::kBmp, header.width, header.height, 1};
}

// Black and white, or every entry grey of its own index: the indices are the greys, those beyond
// the palette too.
bool IsGrey(const Header& header, const Raster& raster) {
  for (uint32_t i = 0; i < header.colors; ++i) {
    const auto grey = static_cast<uint8_t>(header.colors == 2 && i == 1 ? 255 : i);
    for (int c = 0; c < 3; ++c) {
      if (raster.palette[3 * i + c] != grey) return false;
    }
  }
  return true;
}

Status ReadPalette(Bytes bytes, const Header& header, Raster* raster) {
  if (header.colors == 0 || header.colors > 256) {
    return DataLoss("a palette of " + std::to_string(header.colors) + " colours");
  }
  const size_t size = header.color_bytes * header.colors;
  if (bytes.size() < header.palette_at || bytes.size() - header.palette_at < size) {
    return DataLoss("truncated in the palette");
  }
  for (uint32_t i = 0; i < header.colors; ++i) {
    const uint8_t* color = bytes.data() + header.palette_at + header.color_bytes * i;
    for (int c = 0; c < 3; ++c) raster->palette[3 * i + c] = color[2 - c];
  }
  if (IsGrey(header, *raster)) raster->mode = header.colors <= 2 ? PixelMode::kBit : PixelMode::kL;
  return OkStatus();
}

// Where the bytes of red, green and blue lie in a pixel of 24 or 32 bits: the layouts that Pillow
// knows.
struct ByteLayout {
  std::array<uint32_t, 4> masks;
  std::array<uint8_t, 3> rgb;
};
constexpr ByteLayout kLayouts[] = {
    {{0xff0000, 0xff00, 0xff, 0}, {2, 1, 0}},
    {{0xff000000, 0xff0000, 0xff00, 0}, {3, 2, 1}},
    {{0xff000000, 0xff00, 0xff, 0}, {3, 1, 0}},
    {{0xff000000, 0xff0000, 0xff00, 0xff}, {3, 2, 1}},
    {{0xff, 0xff00, 0xff0000, 0xff000000}, {0, 1, 2}},
    {{0xff0000, 0xff00, 0xff, 0xff000000}, {2, 1, 0}},
    {{0xff000000, 0xff00, 0xff, 0xff0000}, {3, 1, 0}},
    {{0, 0, 0, 0}, {2, 1, 0}},
};

std::optional<std::array<uint8_t, 3>> FindLayout(const Header& header) {
  if (header.compression == kRaw) return kLayouts[0].rgb;
  std::array<uint32_t, 4> masks = header.masks;
  if (header.bits == 24) {
    masks[3] = 0;
    if (masks != kLayouts[0].masks) return std::nullopt;
  }
  for (const ByteLayout& layout : kLayouts) {
    if (layout.masks == masks) return layout.rgb;
  }
  return std::nullopt;
}

// 16 bits: five a colour, or six for green.
void UnpackWord(uint32_t word, bool six, uint8_t* rgb) {
  const uint32_t green = six ? word >> 5 & 63 : word >> 5 & 31;
  rgb[0] = static_cast<uint8_t>((word >> (six ? 11 : 10) & 31) * 255 / 31);
  rgb[1] = static_cast<uint8_t>(green * 255 / (six ? 63 : 31));
  rgb[2] = static_cast<uint8_t>((word & 31) * 255 / 31);
}

Status ReadColors(Bytes pixels, size_t stride, const Header& header, Raster* raster) {
  const auto layout = FindLayout(header);
  const bool six = header.masks[0] == 0xf800 && header.masks[1] == 0x7e0 && header.masks[2] == 0x1f;
  const bool five =
      header.masks[0] == 0x7c00 && header.masks[1] == 0x3e0 && header.masks[2] == 0x1f;
  const bool raw = header.compression == kRaw;
  if (header.bits == 16 ? !raw && !five && !six : !layout) {
    return Unsupported("this layout of bit fields");
  }
  for (int64_t y = 0; y < raster->height; ++y) {
    const uint8_t* in = pixels.data() + stride * (header.top_down ? y : raster->height - 1 - y);
    uint8_t* out = raster->row(y);
    for (int64_t x = 0; x < raster->width; ++x, in += header.bits / 8, out += 3) {
      if (header.bits == 16) {
        UnpackWord(in[0] | uint32_t{in[1]} << 8, !raw && six, out);
      } else {
        for (int c = 0; c < 3; ++c) out[c] = in[(*layout)[c]];
      }
    }
  }
  return OkStatus();
}

void ReadIndices(Bytes pixels, size_t stride, const Header& header, Raster* raster) {
  const int in_byte = 8 / header.bits;
  const int mask = (1 << header.bits) - 1;
  for (int64_t y = 0; y < raster->height; ++y) {
    const uint8_t* in = pixels.data() + stride * (header.top_down ? y : raster->height - 1 - y);
    uint8_t* out = raster->row(y);
    for (int64_t x = 0; x < raster->width; ++x) {
      out[x] = in[x / in_byte] >> ((in_byte - 1 - x % in_byte) * header.bits) & mask;
    }
  }
}

Result<Raster> DecodeBmp(Bytes bytes, const DecodeOptions& options, Warnings*) {
  RETURN_IF_ERROR(CheckFrame(options.frame, 1));
  ASSIGN_OR_RETURN(const Header header, ReadHeader(bytes));
  const bool indexed = header.bits == 1 || header.bits == 4 || header.bits == 8;
  if (!indexed && header.bits != 16 && header.bits != 24 && header.bits != 32) {
    return Unsupported(std::to_string(header.bits) + " bits a pixel");
  }
  const bool rle = (header.compression == kRle8 && header.bits == 8) ||
                   (header.compression == kRle4 && header.bits == 4);
  if (!rle && header.compression != kRaw && (header.compression != kBitFields || indexed)) {
    return Unsupported("compression " + std::to_string(header.compression));
  }
  Raster raster;
  RETURN_IF_ERROR(raster.Allocate(indexed ? PixelMode::kP : PixelMode::kRgb, header.width,
                                  header.height, options.max_pixels));
  if (indexed) RETURN_IF_ERROR(ReadPalette(bytes, header, &raster));
  if (header.pixels_at > bytes.size()) return DataLoss("truncated before the pixels");
  if (rle) {
    RETURN_IF_ERROR(
        ReadBmpRle(bytes, header.pixels_at, header.bits == 4, header.top_down, &raster));
    return raster;
  }
  const size_t stride = (static_cast<size_t>(header.width) * header.bits + 31) / 32 * 4;
  const Bytes pixels = bytes.subspan(header.pixels_at);
  if (pixels.size() / stride < static_cast<size_t>(header.height)) {
    return DataLoss("truncated: " + std::to_string(pixels.size() / stride) + " of " +
                    std::to_string(header.height) + " rows");
  }
  if (indexed) {
    ReadIndices(pixels, stride, header, &raster);
  } else {
    RETURN_IF_ERROR(ReadColors(pixels, stride, header, &raster));
  }
  return raster;
}

}  // namespace

const FormatReader kBmpReader = {ImageFormat::kBmp, AcceptsBmp, ProbeBmp, DecodeBmp};

}  // namespace galen
