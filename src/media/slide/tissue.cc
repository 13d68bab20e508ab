#include "media/slide/tissue.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace galen {
namespace {

int Saturation(const uint8_t* rgb) {
  const int most = std::max({rgb[0], rgb[1], rgb[2]}), least = std::min({rgb[0], rgb[1], rgb[2]});
  return most == 0 ? 0 : (most - least) * 255 / most;
}

// The threshold that best separates a histogram into two classes: the largest variance between
// them.
int OtsuThreshold(const std::array<int64_t, 256>& histogram) {
  double total = 0, sum = 0;
  for (int i = 0; i < 256; ++i) {
    total += static_cast<double>(histogram[static_cast<size_t>(i)]);
    sum += static_cast<double>(i) * static_cast<double>(histogram[static_cast<size_t>(i)]);
  }
  double below = 0, sum_below = 0, best = -1;
  int threshold = 0;
  for (int i = 0; i < 255; ++i) {
    below += static_cast<double>(histogram[static_cast<size_t>(i)]);
    sum_below += static_cast<double>(i) * static_cast<double>(histogram[static_cast<size_t>(i)]);
    if (below == 0 || below == total) continue;
    const double difference = sum_below / below - (sum - sum_below) / (total - below);
    const double between = below * (total - below) * difference * difference;
    if (between > best) {
      best = between;
      threshold = i;
    }
  }
  return threshold;
}

// SplitMix64 (Steele, Lea, Flood, 2014): one line, the same everywhere, good enough for choosing
// pictures.
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Pixels of a slide that are read at once for a thumbnail.
constexpr int64_t kStripPixels = int64_t{1} << 24;

// Averages squares of factor x factor pixels, from row `first` of `strip`, into row y of *out.
void AverageRow(const Image& strip, int64_t first, int64_t factor, int64_t y, Image* out) {
  const int64_t area = factor * factor;
  for (int64_t x = 0; x < out->width; ++x) {
    int64_t sum[3] = {};
    for (int64_t dy = 0; dy < factor; ++dy) {
      const uint8_t* in = strip.row(first + dy) + x * factor * 3;
      for (int64_t dx = 0; dx < factor; ++dx, in += 3) {
        for (int c = 0; c < 3; ++c) sum[c] += in[c];
      }
    }
    for (int c = 0; c < 3; ++c) {
      out->row(y)[x * 3 + c] = static_cast<uint8_t>((sum[c] + area / 2) / area);
    }
  }
}

}  // namespace

int NearestLevel(const SlideInfo& info, double um_per_pixel) {
  if (!info.um_per_pixel) return 0;
  int nearest = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < info.levels.size(); ++i) {
    const double distance =
        std::abs(std::log(*info.um_per_pixel * info.levels[i].downsample / um_per_pixel));
    if (distance < least) {
      least = distance;
      nearest = static_cast<int>(i);
    }
  }
  return nearest;
}

int ThumbnailLevel(const SlideInfo& info) {
  const std::vector<SlideLevel>& levels = info.levels;
  size_t chosen = 0;
  for (size_t i = 0; i < levels.size(); ++i) {
    const auto longer = [&](size_t l) { return std::max(levels[l].width, levels[l].height); };
    if (longer(i) >= kThumbnailSide && longer(i) < longer(chosen)) chosen = i;
  }
  return static_cast<int>(chosen);
}

Result<Thumbnail> ReadThumbnail(const Slide& slide, const std::stop_token& stop) {
  const int chosen = ThumbnailLevel(slide.info());
  const SlideLevel& level = slide.info().levels[static_cast<size_t>(chosen)];
  const int64_t factor = std::max<int64_t>(1, std::max(level.width, level.height) / kThumbnailSide);
  Thumbnail thumbnail;
  thumbnail.downsample = level.downsample * static_cast<double>(factor);
  Image& image = thumbnail.image;
  image.width = std::max<int64_t>(1, level.width / factor);
  image.height = std::max<int64_t>(1, level.height / factor);
  image.pixels.resize(static_cast<size_t>(image.width * image.height * 3));
  // In strips: a level may be larger than memory.
  const int64_t width = image.width * factor;
  const int64_t rows = std::max<int64_t>(1, kStripPixels / (width * factor));
  for (int64_t y = 0; y < image.height; y += rows) {
    if (stop.stop_requested()) return Cancelled("the request was cancelled");
    const int64_t count = std::min(rows, image.height - y);
    ASSIGN_OR_RETURN(const Image strip,
                     slide.Read(chosen, 0, y * factor, width, count * factor));
    for (int64_t r = 0; r < count; ++r) AverageRow(strip, r * factor, factor, y + r, &image);
  }
  return thumbnail;
}

TissueMask FindTissue(const Image& thumbnail) {
  TissueMask mask;
  mask.width = thumbnail.width;
  mask.height = thumbnail.height;
  const size_t count = static_cast<size_t>(mask.width * mask.height);
  std::array<int64_t, 256> histogram{};
  for (size_t i = 0; i < count; ++i) {
    ++histogram[static_cast<size_t>(Saturation(thumbnail.pixels.data() + 3 * i))];
  }
  mask.threshold = std::clamp(OtsuThreshold(histogram), kLeastSaturation, kMostSaturation);
  mask.tissue.resize(count);
  for (size_t i = 0; i < count; ++i) {
    mask.tissue[i] = Saturation(thumbnail.pixels.data() + 3 * i) > mask.threshold;
  }
  return mask;
}

std::vector<SlidePatch> FindPatches(const SlideLevel& level, const TissueMask& mask,
                                    double mask_downsample, int64_t side) {
  const double scale = level.downsample / mask_downsample;  // mask pixels per level pixel
  const auto share = [&](int64_t x, int64_t y) {
    const auto edge = [&](int64_t v, int64_t most) {
      return std::clamp<int64_t>(std::llround(static_cast<double>(v) * scale), 0, most);
    };
    const int64_t x0 = std::min(edge(x, mask.width), mask.width - 1);
    const int64_t y0 = std::min(edge(y, mask.height), mask.height - 1);
    const int64_t x1 = std::max(edge(x + side, mask.width), x0 + 1);
    const int64_t y1 = std::max(edge(y + side, mask.height), y0 + 1);
    int64_t tissue = 0;
    for (int64_t r = y0; r < y1; ++r) {
      for (int64_t c = x0; c < x1; ++c)
        tissue += mask.tissue[static_cast<size_t>(r * mask.width + c)];
    }
    return static_cast<double>(tissue) / static_cast<double>((x1 - x0) * (y1 - y0));
  };
  const int64_t columns = std::max<int64_t>(1, level.width / side);
  const int64_t rows = std::max<int64_t>(1, level.height / side);
  std::vector<SlidePatch> patches;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const SlidePatch patch{c * side, r * side, share(c * side, r * side)};
      if (patch.tissue >= kLeastTissue) patches.push_back(patch);
    }
  }
  return patches;
}

std::vector<SlidePatch> ChoosePatches(std::vector<SlidePatch> patches, int64_t count,
                                      uint64_t seed) {
  // Selection sampling (Knuth, TAOCP 3.4.2, algorithm S): keeps the order.
  std::vector<SlidePatch> chosen;
  uint64_t state = seed;
  for (size_t i = 0; i < patches.size() && static_cast<int64_t>(chosen.size()) < count; ++i) {
    const uint64_t left = patches.size() - i;
    const uint64_t wanted = static_cast<uint64_t>(count) - chosen.size();
    // The high half of a product is uniform enough below 2^32 patches.
    const uint64_t draw = (NextRandom(&state) >> 32) * left >> 32;
    if (draw < wanted) chosen.push_back(patches[i]);
  }
  return chosen;
}

void DrawOutline(Image* image, double x, double y, double width, double height) {
  constexpr int64_t kLine = 2;
  const auto near = [](double v) { return std::llround(std::clamp(v, -1e9, 1e9)); };
  const int64_t x0 = near(x), y0 = near(y), x1 = near(x + width), y1 = near(y + height);
  for (int64_t r = std::max<int64_t>(0, y0); r < std::min(image->height, y1); ++r) {
    for (int64_t c = std::max<int64_t>(0, x0); c < std::min(image->width, x1); ++c) {
      if (r >= y0 + kLine && r < y1 - kLine && c >= x0 + kLine && c < x1 - kLine) continue;
      uint8_t* pixel = image->row(r) + c * image->channels;
      pixel[0] = 255;
      if (image->channels == 3) pixel[1] = pixel[2] = 0;
    }
  }
}

}  // namespace galen
