#include "media/image/resize.h"

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "base/status.h"
#include "media/image/resample_kernels.h"
#include "media/image/resample_passes.h"
#include "media/image/resample_weights.h"

namespace galen {
namespace {

constexpr int kPillowBits = 32 - 8 - 2;  // PRECISION_BITS

double BoxFilter(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double Hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));  // float constants, as there
}

double Cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Lanczos(double x) { return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

FilterFunction Function(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return {BoxFilter, 0.5};
    case Filter::kHamming:
      return {Hamming, 1.0};
    case Filter::kBicubic:
      return {Cubic, 2.0};
    case Filter::kLanczos:
      return {Lanczos, 3.0};
    case Filter::kBilinear:
    case Filter::kNearest:
      break;
  }
  return {Triangle, 1.0};
}

FixedWeights Weights(int64_t sources, float begin, float end, int64_t targets, Filter filter) {
  const double scale = static_cast<double>(end - begin) / static_cast<int>(targets);
  return ToFixed(ScaledWeights(sources, begin, scale, targets, Function(filter)), kPillowBits);
}

// Pillow adds the step up instead of multiplying, which decides some pixels.
std::vector<int64_t> NearestSources(float begin, float end, int64_t targets, int64_t sources) {
  const double step = static_cast<double>(end - begin) / static_cast<int>(targets);
  std::vector<int64_t> source(targets, -1);
  double at = begin + step * 0.5;
  for (int64_t& index : source) {
    const int64_t i = at < 0.0 ? -1 : static_cast<int64_t>(at);
    if (i >= 0 && i < sources) index = i;
    at += step;
  }
  return source;
}

Image NewImage(int64_t width, int64_t height, int64_t channels) {
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels;
  image.pixels.resize(width * height * channels);
  return image;
}

Image ResizeNearest(const Image& image, int64_t width, int64_t height, const ResizeBox& box) {
  const auto columns = NearestSources(box.left, box.right, width, image.width);
  const auto rows = NearestSources(box.top, box.bottom, height, image.height);
  Image out = NewImage(width, height, image.channels);
  for (int64_t y = 0; y < height; ++y) {
    if (rows[y] < 0) continue;
    const uint8_t* from = image.row(rows[y]);
    uint8_t* to = out.row(y);
    for (int64_t x = 0; x < width; ++x, to += image.channels) {
      if (columns[x] >= 0) std::memcpy(to, from + columns[x] * image.channels, image.channels);
    }
  }
  return out;
}

}  // namespace

std::string_view FilterName(Filter filter) {
  constexpr std::array<std::string_view, 6> kNames = {"nearest", "lanczos", "bilinear",
                                                      "bicubic", "box",     "hamming"};
  return kNames[static_cast<size_t>(filter)];
}

std::optional<Filter> FilterFromNumber(int64_t resample) {
  if (resample < 0 || resample > 5) return std::nullopt;
  return static_cast<Filter>(resample);
}

Image Resize(const Image& image, int64_t width, int64_t height, Filter filter) {
  const ResizeBox whole = {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  return Resize(image, width, height, filter, whole);
}

Image Resize(const Image& image, int64_t width, int64_t height, Filter filter,
             const ResizeBox& box) {
  GALEN_CHECK(width > 0 && height > 0 && image.width > 0 && image.height > 0);
  GALEN_CHECK(box.left >= 0 && box.top >= 0 && box.right <= static_cast<float>(image.width) &&
              box.bottom <= static_cast<float>(image.height) && box.right >= box.left &&
              box.bottom >= box.top);
  const auto whole = [](float at) { return at == std::floor(at); };
  const bool crop = whole(box.left) && whole(box.top) &&
                    box.right - box.left == static_cast<float>(width) &&
                    box.bottom - box.top == static_cast<float>(height);
  if (filter == Filter::kNearest || crop) return ResizeNearest(image, width, height, box);

  ResamplePasses passes;
  if (width != image.width || box.left != 0 || box.right != static_cast<float>(width)) {
    passes.columns = Weights(image.width, box.left, box.right, width, filter);
  }
  if (height != image.height || box.top != 0 || box.bottom != static_cast<float>(height)) {
    passes.rows = Weights(image.height, box.top, box.bottom, height, filter);
  }
  const int64_t fewer_rows = image.height - height;
  passes.rows_first = fewer_rows > 0 && fewer_rows > (image.width - width) * 2;
  return RunPasses(image, passes, ChooseResampleKernels());
}

}  // namespace galen
