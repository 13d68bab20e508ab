#include "media/image/tiff_layout.h"

#include <algorithm>
#include <cstring>

#include "media/image/load.h"

namespace galen {
namespace {

enum Photometric : uint32_t {
  kWhiteIsZero = 0,
  kBlackIsZero = 1,
  kRgbColor = 2,
  kPalette = 3,
  kSeparated = 5,
  kCieLab = 8
};
enum Format : uint32_t { kUnsigned = 1, kSigned = 2, kFloat = 3 };
enum Extra : uint16_t { kUnspecified = 0, kPremultiplied = 1, kAlpha = 2, kCorelAlpha = 999 };

bool SetGrey(const TiffTags& tags, TiffLayout* layout) {
  const bool white_is_zero = tags.photometric == kWhiteIsZero;
  const bool plain = tags.extras.empty();
  if (tags.samples != 1 + tags.extras.size() || tags.extras.size() > 1) return false;
  switch (tags.bits) {
    case 1:
    case 2:
    case 4:
      layout->mode = tags.bits == 1 ? PixelMode::kBit : PixelMode::kL;
      layout->invert = white_is_zero;
      return plain && tags.format == kUnsigned;
    case 8:
      layout->invert = white_is_zero;
      if (tags.format == kSigned) return plain && !white_is_zero;  // taken as unsigned
      if (tags.format != kUnsigned) return false;
      if (plain) return true;
      layout->mode = tags.extras[0] == kUnspecified ? PixelMode::kL : PixelMode::kLa;
      layout->premultiplied = tags.extras[0] == kPremultiplied;
      return !white_is_zero && tags.extras[0] <= kAlpha;
    case 12:
      layout->mode = PixelMode::kI16;
      return plain && tags.format == kUnsigned && !white_is_zero;
    case 16:
      layout->is_signed = tags.format == kSigned;
      layout->mode = layout->is_signed ? PixelMode::kI32 : PixelMode::kI16;
      return plain && tags.format <= kSigned && !(layout->is_signed && white_is_zero);
    case 32:
      layout->mode = tags.format == kFloat ? PixelMode::kF32 : PixelMode::kI32;
      return plain && tags.format <= kFloat && (tags.format == kFloat || !white_is_zero);
    default:
      return false;
  }
}

bool SetColor(const TiffTags& tags, TiffLayout* layout) {
  if (tags.format != kUnsigned || (tags.bits != 8 && tags.bits != 16)) return false;
  const uint16_t extra = tags.extras.empty() ? uint16_t{kUnspecified} : tags.extras[0];
  // Four samples of which none is called extra are RGBA.
  const bool unnamed_alpha = tags.extras.empty() && tags.samples == 4;
  if (!unnamed_alpha && tags.samples != 3 + tags.extras.size()) return false;
  const bool has_alpha = unnamed_alpha || extra != kUnspecified;
  layout->mode = has_alpha ? PixelMode::kRgba : PixelMode::kRgb;
  layout->premultiplied = extra == kPremultiplied;
  return extra <= kAlpha || extra == kCorelAlpha;
}

bool SetPalette(const TiffTags& tags, TiffLayout* layout) {
  layout->mode = PixelMode::kP;
  if (tags.format != kUnsigned) return false;
  if (tags.extras.empty()) return tags.samples == 1 && tags.bits <= 8;
  if (tags.extras[0] == kAlpha) layout->mode = PixelMode::kPa;
  return tags.samples == 2 && tags.extras.size() == 1 && tags.bits == 8;
}

bool SetSeparated(const TiffTags& tags, TiffLayout* layout) {
  layout->mode = PixelMode::kCmyk;
  return tags.format == kUnsigned && tags.samples == 4 + tags.extras.size() &&
         (tags.bits == 8 || tags.bits == 16);
}

bool SetLab(const TiffTags& tags, TiffLayout* layout) {
  layout->mode = PixelMode::kLab;
  return tags.samples == 3 && tags.bits == 8;
}

bool SetLayout(const TiffTags& tags, TiffLayout* layout) {
  switch (tags.photometric) {
    case kWhiteIsZero:
    case kBlackIsZero:
      return SetGrey(tags, layout);
    case kRgbColor:
      return SetColor(tags, layout);
    case kPalette:
      return SetPalette(tags, layout);
    case kSeparated:
      return SetSeparated(tags, layout);
    case kCieLab:
      return SetLab(tags, layout);
    default:
      return false;
  }
}

// 1, 2 or 4 bits, the first pixel in the highest. Greys are spread over 0..255.
void UnpackBits(const TiffLayout& layout, const uint8_t* in, int64_t pixels, uint8_t* out) {
  const uint32_t bits = layout.bits, in_byte = 8 / bits, mask = (1u << bits) - 1;
  const uint32_t scale = layout.mode == PixelMode::kP ? 1 : 255 / mask;
  for (int64_t x = 0; x < pixels; ++x) {
    const uint32_t value = in[x / in_byte] >> ((in_byte - 1 - x % in_byte) * bits) & mask;
    out[x] = static_cast<uint8_t>((layout.invert ? mask - value : value) * scale);
  }
}

void Unpack12(const uint8_t* in, int64_t pixels, uint8_t* out) {
  for (int64_t x = 0; x < pixels; ++x, out += 2) {
    const uint8_t* at = in + x / 2 * 3;
    const auto value =
        static_cast<uint16_t>(x % 2 == 0 ? at[0] << 4 | at[1] >> 4 : (at[1] & 15) << 8 | at[2]);
    std::memcpy(out, &value, sizeof(value));
  }
}

}  // namespace

Result<TiffLayout> FindTiffLayout(const TiffTags& tags) {
  TiffLayout layout;
  layout.bits = tags.bits;
  layout.samples = tags.samples;
  if (!SetLayout(tags, &layout)) {
    return Unsupported("photometric interpretation " + std::to_string(tags.photometric) + " with " +
                       std::to_string(tags.samples) + " samples of " + std::to_string(tags.bits) +
                       " bits, format " + std::to_string(tags.format));
  }
  if (tags.planar && tags.samples > 1) {
    if (tags.bits != 8 && tags.bits != 16) return Unsupported("planes of less than 8 bits");
    layout.samples = 1;
    layout.planes = static_cast<uint32_t>(BytesPerPixel(layout.mode));
  }
  return layout;
}

void UnpackTiffRow(const TiffLayout& layout, const uint8_t* in, int64_t pixels, uint32_t plane,
                   uint8_t* out) {
  const int64_t size = BytesPerPixel(layout.mode);
  if (layout.bits < 8) return UnpackBits(layout, in, pixels, out);
  if (layout.bits == 12) return Unpack12(in, pixels, out);
  if (layout.is_signed) {
    for (int64_t x = 0; x < pixels; ++x) {
      const int32_t value = Load<int16_t>(in + 2 * x);
      std::memcpy(out + 4 * x, &value, sizeof(value));
    }
    return;
  }
  if (layout.bits == 32 || layout.mode == PixelMode::kI16) {
    std::memcpy(out, in, pixels * size);
    return;
  }
  // 8 bits, or the high 8 of 16; samples that the mode lacks are passed over.
  const int64_t bytes = layout.bits / 8, step = bytes * layout.samples;
  const int64_t channels = layout.planes > 1 ? 1 : size;
  in += bytes - 1;  // libtiff gives the machine's order, which is little-endian
  for (int64_t x = 0; x < pixels; ++x, in += step, out += size) {
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t value = in[c * bytes];
      out[plane + c] = layout.invert ? 255 - value : value;
    }
    // a and b are signed.
    if (layout.mode == PixelMode::kLab && layout.planes == 1) out[1] ^= 128, out[2] ^= 128;
  }
}

void UndoPremultiplied(Raster* raster) {
  const int64_t size = BytesPerPixel(raster->mode);
  for (size_t i = 0; i < raster->data.size(); i += size) {
    const int alpha = raster->data[i + size - 1];
    for (int64_t c = 0; c < size - 1; ++c) {
      uint8_t& color = raster->data[i + c];
      color = alpha == 0 ? 0 : static_cast<uint8_t>(std::min(color * 255 / alpha, 255));
    }
  }
}

}  // namespace galen
