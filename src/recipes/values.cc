#include "recipes/values.h"

#include <algorithm>
#include <cmath>

namespace galen {
namespace {

// Adding and subtracting 2^23 rounds a float in [0, 2^22] to an integer, halves to even, without a
// call.
constexpr float kRounder = 0x1p23f;

uint8_t Level(float value, float low, float high) {
  // A NaN fails both comparisons of this order and becomes `low`.
  float v = value > low ? value : low;
  v = v < high ? v : high;
  v -= low;
  v /= high - low;
  v *= 255.0f;
  return static_cast<uint8_t>(static_cast<int32_t>((v + kRounder) - kRounder));
}

double Percentile(std::vector<float>* values, double percent) {
  const double at = percent / 100 * static_cast<double>(values->size() - 1);
  const auto below = static_cast<ptrdiff_t>(std::floor(at));
  const auto nth = values->begin() + below;
  std::nth_element(values->begin(), nth, values->end());
  const double low = *nth;
  if (nth + 1 == values->end()) return low;
  const double high = *std::min_element(nth + 1, values->end());
  return low + (high - low) * (at - static_cast<double>(below));
}

}  // namespace

Image WindowsToRgb(std::span<const float> values, int64_t width, int64_t height,
                   std::span<const std::array<double, 2>> windows) {
  Image image;
  image.width = width;
  image.height = height;
  image.pixels.resize(values.size() * 3);
  for (size_t c = 0; c < 3; ++c) {
    const std::array<double, 2>& window = windows[windows.size() == 3 ? c : 0];
    const float low = static_cast<float>(window[0]), high = static_cast<float>(window[1]);
    uint8_t* out = image.pixels.data() + c;
    for (size_t i = 0; i < values.size(); ++i) out[3 * i] = Level(values[i], low, high);
  }
  return image;
}

std::vector<int64_t> SpreadIndices(int64_t n, int64_t most) {
  std::vector<int64_t> indices;
  if (n <= most) {
    for (int64_t i = 0; i < n; ++i) indices.push_back(i);
    return indices;
  }
  for (int64_t i = 1; i <= most; ++i) {
    const double at =
        static_cast<double>(i) / static_cast<double>(most) * static_cast<double>(n - 1);
    indices.push_back(static_cast<int64_t>(std::nearbyint(at)));
  }
  return indices;
}

std::array<double, 2> PercentileWindow(std::vector<float>* values,
                                       const std::array<double, 2>& percentiles) {
  std::erase_if(*values, [](float v) { return !std::isfinite(v); });
  if (values->empty()) return {0, 1};
  std::array<double, 2> window = {Percentile(values, percentiles[0]),
                                  Percentile(values, percentiles[1])};
  if (!(window[1] > window[0])) window[1] = window[0] + 1;
  return window;
}

}  // namespace galen
