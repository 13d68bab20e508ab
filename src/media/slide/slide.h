// Whole slides: a pyramid of one picture, read in rectangles.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

// A side of level 0; real slides have up to 300,000.
inline constexpr int64_t kMostSide = int64_t{1} << 24;

struct SlideLevel {
  int64_t width = 0;
  int64_t height = 0;
  double downsample = 1;  // pixels of level 0 per pixel of this one
};

struct SlideInfo {
  std::string format;              // "aperio", "hamamatsu", ..., "dicom"
  std::vector<SlideLevel> levels;  // 0 is the finest
  // Micrometres per pixel of level 0, from the file; from the objective's power if the file has
  // only that.
  std::optional<double> um_per_pixel;
  bool um_estimated = false;  // from the objective's power
  std::optional<double> objective_power;
  std::vector<std::string> warnings;
};

// Thread-safe. A rectangle may reach over the edges of its level; what the slide does not have is
// white.
class Slide {
 public:
  virtual ~Slide() = default;
  const SlideInfo& info() const { return info_; }
  // RGB, x and y in pixels of `level`. Fails on a level that is not there and on a rectangle
  // without area or above kMostPixels.
  virtual Result<Image> Read(int level, int64_t x, int64_t y, int64_t width,
                             int64_t height) const = 0;

  // A rectangle that is read at once.
  static constexpr int64_t kMostPixels = int64_t{1} << 27;

 protected:
  Status CheckRectangle(int level, int64_t width, int64_t height) const;
  SlideInfo info_;
};

// Formats of OpenSlide 3.4.1: Aperio, Hamamatsu, Leica, MIRAX, Philips, Sakura, Trestle, Ventana,
// tiled TIFF. DICOM slides are opened through dicom_slide.h.
Result<std::unique_ptr<Slide>> OpenSlideFile(const std::string& path);
// The name of OpenSlide's reader for the file, without opening it; nothing if there is none.
std::optional<std::string> DetectSlideFormat(const std::string& path);

}  // namespace galen
