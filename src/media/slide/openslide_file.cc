// Slides through OpenSlide (LGPL-2.1, dynamically linked).
#include <openslide/openslide.h>
#include <tiffio.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/files.h"
#include "media/slide/slide.h"

namespace galen {
namespace {

constexpr int kMostLevels = 64;
// An objective of 40x gives about 0.25 micrometres per pixel, 20x 0.5, 10x 1.
constexpr double kUmTimesPower = 10;

// libtiff, which OpenSlide reads through, prints file names to standard error unless it has no
// handlers.
void SilenceLibtiff() {
  static std::once_flag once;
  std::call_once(once, [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
  });
}

// A positive finite number from the slide's properties.
std::optional<double> Property(openslide_t* slide, const char* name) {
  const char* text = openslide_get_property_value(slide, name);
  if (text == nullptr) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || !std::isfinite(value) || value <= 0) return std::nullopt;
  return value;
}

class OpenSlideSlide : public Slide {
 public:
  explicit OpenSlideSlide(openslide_t* slide) : slide_(slide) {}
  ~OpenSlideSlide() override { openslide_close(slide_); }

  Status Describe(const std::string& path) {
    const char* vendor = openslide_get_property_value(slide_, OPENSLIDE_PROPERTY_NAME_VENDOR);
    info_.format = vendor != nullptr ? vendor : "unknown";
    const int32_t count = openslide_get_level_count(slide_);
    if (count < 1 || count > kMostLevels) return DataLoss(path + ": a slide without levels");
    for (int32_t i = 0; i < count; ++i) {
      SlideLevel level;
      openslide_get_level_dimensions(slide_, i, &level.width, &level.height);
      level.downsample = openslide_get_level_downsample(slide_, i);
      if (level.width < 1 || level.height < 1 || level.width > kMostSide ||
          level.height > kMostSide || !(level.downsample > 0)) {
        return DataLoss(path + ": level " + std::to_string(i) + " has an impossible size");
      }
      info_.levels.push_back(level);
    }
    info_.objective_power = Property(slide_, OPENSLIDE_PROPERTY_NAME_OBJECTIVE_POWER);
    info_.um_per_pixel = Property(slide_, OPENSLIDE_PROPERTY_NAME_MPP_X);
    const auto down = Property(slide_, OPENSLIDE_PROPERTY_NAME_MPP_Y);
    if (info_.um_per_pixel && down && std::abs(*down / *info_.um_per_pixel - 1) > 0.01) {
      info_.warnings.push_back("pixels are not square; the width is used");
    }
    if (!info_.um_per_pixel && info_.objective_power) {
      info_.um_per_pixel = kUmTimesPower / *info_.objective_power;
      info_.warnings.push_back("the size of a pixel is derived from the objective's power");
    }
    return OkStatus();
  }

  Result<Image> Read(int level, int64_t x, int64_t y, int64_t width,
                     int64_t height) const override {
    RETURN_IF_ERROR(CheckRectangle(level, width, height));
    const double scale = info_.levels[static_cast<size_t>(level)].downsample;
    std::vector<uint32_t> argb(static_cast<size_t>(width * height));
    openslide_read_region(slide_, argb.data(), std::llround(static_cast<double>(x) * scale),
                          std::llround(static_cast<double>(y) * scale), level, width, height);
    if (openslide_get_error(slide_) != nullptr) {
      return DataLoss("a part of the slide cannot be read; the file is damaged");
    }
    Image image;
    image.width = width;
    image.height = height;
    image.pixels.resize(argb.size() * 3);
    uint8_t* out = image.pixels.data();
    for (const uint32_t pixel : argb) {
      // Premultiplied: on white, what alpha leaves open is white.
      const uint32_t open = 255 - (pixel >> 24);
      *out++ = static_cast<uint8_t>((pixel >> 16 & 255) + open);
      *out++ = static_cast<uint8_t>((pixel >> 8 & 255) + open);
      *out++ = static_cast<uint8_t>((pixel & 255) + open);
    }
    return image;
  }

 private:
  openslide_t* slide_;
};

}  // namespace

std::optional<std::string> DetectSlideFormat(const std::string& path) {
  SilenceLibtiff();
  const char* vendor = openslide_detect_vendor(path.c_str());
  if (vendor == nullptr) return std::nullopt;
  return std::string(vendor);
}

Result<std::unique_ptr<Slide>> OpenSlideFile(const std::string& path) {
  if (!FileExists(path)) return NotFound("there is no file " + path);
  SilenceLibtiff();
  openslide_t* handle = openslide_open(path.c_str());
  if (handle == nullptr) return InvalidArgument(path + " is no slide that OpenSlide reads");
  auto slide = std::make_unique<OpenSlideSlide>(handle);
  if (openslide_get_error(handle) != nullptr) return DataLoss(path + " is a damaged slide");
  RETURN_IF_ERROR(slide->Describe(path));
  return std::unique_ptr<Slide>(std::move(slide));
}

}  // namespace galen
