#include "media/image/convert.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "media/image/format_readers.h"
#include "media/image/lab.h"
#include "media/image/load.h"

namespace galen {
namespace {

uint8_t Clip8(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// a * b / 255, rounded (Pillow's MULDIV255).
int MulDiv255(int a, int b) {
  const int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

// Calls put(const uint8_t* in, uint8_t* rgb) for every pixel.
template <typename Put>
Image Map(const Raster& raster, Put put) {
  Image image;
  image.width = raster.width;
  image.height = raster.height;
  image.pixels.resize(raster.width * raster.height * 3);
  const int64_t step = BytesPerPixel(raster.mode);
  const uint8_t* in = raster.data.data();
  uint8_t* out = image.pixels.data();
  for (int64_t i = 0, n = raster.width * raster.height; i < n; ++i, in += step, out += 3)
    put(in, out);
  return image;
}

template <typename Value>  // of one pixel, to grey
Image MapGrey(const Raster& raster, Value value) {
  return Map(raster, [&](const uint8_t* in, uint8_t* out) { std::memset(out, value(in), 3); });
}

// One warning for a wide mode whose values do not fit 8 bits.
template <typename T>
void WarnIfClipped(const Raster& raster, std::string_view kind, Warnings* warnings) {
  if (warnings == nullptr) return;
  double low = 0, high = 0;
  for (size_t i = 0; i + sizeof(T) <= raster.data.size(); i += sizeof(T)) {
    const auto value = static_cast<double>(Load<T>(raster.data.data() + i));
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low >= 0 && high <= 255) return;
  Warn(warnings, "grey_clipped: " + std::string(kind) + " values from " + std::to_string(low) +
                     " to " + std::to_string(high) +
                     " are cut to 0..255, as Pillow's convert(\"RGB\") does, not "
                     "scaled: detail is lost. Window or scale the image to 8 bits first");
}

void WarnIfTransparent(const Raster& raster, size_t offset, Warnings* warnings) {
  if (warnings == nullptr) return;
  const int64_t step = BytesPerPixel(raster.mode);
  for (size_t i = offset; i < raster.data.size(); i += step) {
    if (raster.data[i] == 255) continue;
    Warn(warnings,
         "alpha_dropped: transparent pixels keep the colour stored under them, as in Pillow's "
         "convert(\"RGB\"); no background is blended in");
    return;
  }
}

// Full-range BT.601 in Pillow's fixed point (ConvertYCbCr.c): each term with 6 fractional bits,
// rounded towards zero after adding a half, the sum shifted down.
class YcbcrToRgb {
 public:
  YcbcrToRgb() {
    for (int i = 0; i < 256; ++i) {
      const double scaled = (i - 128) * (1 << kBits);
      red_[i] = static_cast<int>(1.402 * scaled + 0.5);
      green_cb_[i] = static_cast<int>(-0.34414 * scaled + 0.5);
      green_cr_[i] = static_cast<int>(-0.71414 * scaled + 0.5);
      blue_[i] = static_cast<int>(1.772 * scaled + 0.5);
    }
  }
  void operator()(const uint8_t* in, uint8_t* out) const {
    out[0] = Clip8(in[0] + (red_[in[2]] >> kBits));
    out[1] = Clip8(in[0] + ((green_cb_[in[1]] + green_cr_[in[2]]) >> kBits));
    out[2] = Clip8(in[0] + (blue_[in[1]] >> kBits));
  }

 private:
  static constexpr int kBits = 6;
  std::array<int, 256> red_, green_cb_, green_cr_, blue_;
};

}  // namespace

Result<Image> ConvertToRgb(Raster raster, std::vector<std::string>* warnings) {
  switch (raster.mode) {
    case PixelMode::kRgb: {
      Image image;
      image.width = raster.width;
      image.height = raster.height;
      image.pixels = std::move(raster.data);
      return image;
    }
    case PixelMode::kBit:
      return MapGrey(raster, [](const uint8_t* in) { return in[0] != 0 ? 255 : 0; });
    case PixelMode::kL:
      return MapGrey(raster, [](const uint8_t* in) { return in[0]; });
    case PixelMode::kLa:
      WarnIfTransparent(raster, 1, warnings);
      return MapGrey(raster, [](const uint8_t* in) { return in[0]; });
    case PixelMode::kP:
    case PixelMode::kPa:
      return Map(raster, [&](const uint8_t* in, uint8_t* out) {
        std::memcpy(out, raster.palette.data() + 3 * in[0], 3);
      });
    case PixelMode::kRgba:
      WarnIfTransparent(raster, 3, warnings);
      return Map(raster, [](const uint8_t* in, uint8_t* out) { std::memcpy(out, in, 3); });
    case PixelMode::kCmyk:
      return Map(raster, [](const uint8_t* in, uint8_t* out) {
        const int light = 255 - in[3];
        for (int c = 0; c < 3; ++c) out[c] = Clip8(light - MulDiv255(in[c], light));
      });
    case PixelMode::kI16:
      WarnIfClipped<uint16_t>(raster, "16-bit grey", warnings);
      return MapGrey(raster,
                     [](const uint8_t* in) { return std::min<int>(Load<uint16_t>(in), 255); });
    case PixelMode::kI32:
      WarnIfClipped<int32_t>(raster, "32-bit grey", warnings);
      return MapGrey(raster,
                     [](const uint8_t* in) { return std::clamp(Load<int32_t>(in), 0, 255); });
    case PixelMode::kF32:
      WarnIfClipped<float>(raster, "floating-point grey", warnings);
      return MapGrey(raster, [](const uint8_t* in) {
        const float value = Load<float>(in);
        return value >= 255.0f ? 255 : value > 0.0f ? static_cast<int>(value) : 0;
      });
    case PixelMode::kYcbcr:
      return Map(raster, YcbcrToRgb());
    case PixelMode::kLab:
      return LabToRgb(raster);
  }
  return Unsupported("pixels in " + std::string(PixelModeName(raster.mode)));
}

}  // namespace galen
