// Slides through OpenSlide (LGPL-2.1, dynamically linked).
#include <openslide/openslide.h>
#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <system_error>

#include "base/files.h"
#include "media/slide/slide.h"

namespace galen {
namespace {

constexpr int kMostLevels = 64;
constexpr int64_t kMostTileSide = 8192;
constexpr int64_t kMostTileArea = int64_t{1} << 24;
constexpr int kMostDirectories = 1024;
// A block of JPEG; OpenSlide counts those of a strip of Hamamatsu's in 32 bits.
constexpr int64_t kJpegBlock = 8;
constexpr int64_t kMostJpegBlocks = std::numeric_limits<int32_t>::max();
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

// OpenSlide makes room for a whole tile through GLib, which ends the process where it gets none.
Status CheckTileSize(const std::string& path, int64_t width, int64_t height) {
  if (width >= 1 && height >= 1 && width <= kMostTileSide && height <= kMostTileSide &&
      width * height <= kMostTileArea) {
    return OkStatus();
  }
  return InvalidArgument(path + " has tiles of " + std::to_string(width) + "x" +
                         std::to_string(height) + " pixels; a tile may have sides of up to " +
                         std::to_string(kMostTileSide) + " and " + std::to_string(kMostTileArea) +
                         " pixels");
}

Status CheckTiffDirectory(const std::string& path, TIFF* tiff, int64_t file_bytes, bool ndpi) {
  uint32_t width = 0, height = 0;
  const bool has_width = TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width) == 1;
  const bool has_height = TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height) == 1;
  if (has_width || has_height) {
    RETURN_IF_ERROR(CheckTileSize(path, width, height));
    // What a tile takes of the file is made room for, too.
    for (uint32_t i = 0; i < TIFFNumberOfTiles(tiff); ++i) {
      if (TIFFGetStrileByteCount(tiff, i) > static_cast<uint64_t>(file_bytes))
        return DataLoss(path + " has a tile of more bytes than the file");
    }
    return OkStatus();
  }
  // Strips of other makers are read as labels alone, which are not asked for.
  uint32_t rows = 0;
  if (ndpi && TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) == 1 &&
      TIFFGetField(tiff, TIFFTAG_ROWSPERSTRIP, &rows) == 1 &&
      (width / kJpegBlock + 1) * (rows / kJpegBlock + 1) > kMostJpegBlocks) {
    return InvalidArgument(path + " has a strip of " + std::to_string(width) + "x" +
                           std::to_string(rows) + " pixels; it may have up to " +
                           std::to_string(kMostJpegBlocks) + " blocks of 8x8");
  }
  return OkStatus();
}

// Of every directory, with the library that OpenSlide reads them through. What is no TIFF is not
// looked at here.
Status CheckTiff(const std::string& path, bool ndpi) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  // libtiff cannot follow Hamamatsu's offsets above 32 bits.
  if (error || (ndpi && bytes > int64_t{std::numeric_limits<uint32_t>::max()})) return OkStatus();
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), "rm"), TIFFClose);
  if (tiff == nullptr) return OkStatus();  // nor can OpenSlide open it
  for (int n = 0; n < kMostDirectories; ++n) {
    // Behind one that cannot be read there may be others that can.
    if (TIFFSetDirectory(tiff.get(), static_cast<tdir_t>(n)) != 1) continue;
    RETURN_IF_ERROR(CheckTiffDirectory(path, tiff.get(), bytes, ndpi));
    if (TIFFLastDirectory(tiff.get()) != 0) return OkStatus();
  }
  if (ndpi) return OkStatus();  // its tiles are not those of libtiff
  return DataLoss(path + " has directories that cannot be read, or more than " +
                  std::to_string(kMostDirectories));
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
      // Those of Hamamatsu's are not in the directories.
      const std::string name = "openslide.level[" + std::to_string(i) + "].tile-";
      const auto tile_width = Property(slide_, (name + "width").c_str());
      const auto tile_height = Property(slide_, (name + "height").c_str());
      if (tile_width && tile_height) {
        RETURN_IF_ERROR(CheckTileSize(path, std::llround(std::min(*tile_width, 1e9)),
                                      std::llround(std::min(*tile_height, 1e9))));
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
      info_.um_estimated = true;
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
  RETURN_IF_ERROR(CheckTiff(path, DetectSlideFormat(path) == "hamamatsu"));
  openslide_t* handle = openslide_open(path.c_str());
  if (handle == nullptr) return InvalidArgument(path + " is no slide that OpenSlide reads");
  auto slide = std::make_unique<OpenSlideSlide>(handle);
  if (openslide_get_error(handle) != nullptr) return DataLoss(path + " is a damaged slide");
  RETURN_IF_ERROR(slide->Describe(path));
  return std::unique_ptr<Slide>(std::move(slide));
}

}  // namespace galen
