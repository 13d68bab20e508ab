// Double quantisation: the 8-bit code of 4-bit blocks' scales. bitsandbytes 0.50, functional.py,
// create_dynamic_map(signed=True, max_exponent_bits=7, total_bits=8), and its CPU encoder.
#include <algorithm>
#include <cmath>

#include "formats/bitsandbytes.h"

namespace galen {
namespace {

constexpr int kSteps = 65536;

std::vector<float> MakeMap() {
  std::vector<float> map = {0.0f, 1.0f};
  for (int e = 0; e < 7; ++e) {
    const int points = (1 << e) + 1;
    // torch.linspace in fp32: from the nearer end, in steps of the fp32 quotient, rounded once.
    const float step = (1.0f - 0.1f) / static_cast<float>(points - 1);
    std::vector<float> line(static_cast<size_t>(points));
    for (int i = 0; i < points; ++i) {
      line[i] = i < points / 2 ? std::fma(step, static_cast<float>(i), 0.1f)
                               : std::fma(-step, static_cast<float>(points - 1 - i), 1.0f);
    }
    const auto power = static_cast<float>(std::pow(10.0, e - 6));
    for (int i = 0; i + 1 < points; ++i) {
      const float value = power * ((line[i] + line[i + 1]) / 2.0f);
      map.push_back(value);
      map.push_back(-value);
    }
  }
  std::sort(map.begin(), map.end());
  return map;
}

// The code of each of 65,536 equal steps from -1 to 1: the nearest entry, the lower of two.
std::vector<uint8_t> MakeLookup(const std::vector<float>& map) {
  std::vector<uint8_t> lookup(kSteps);
  size_t nearest = 0;
  for (int k = 0; k < kSteps; ++k) {
    const float value = -1.0f + 2.0f * static_cast<float>(k) / 65535.0f;
    while (nearest + 1 < map.size() &&
           std::fabs(value - map[nearest + 1]) < std::fabs(value - map[nearest])) {
      ++nearest;
    }
    lookup[k] = static_cast<uint8_t>(nearest);
  }
  return lookup;
}

}  // namespace

const std::vector<float>& BnbDynamicMap() {
  static const std::vector<float> kMap = MakeMap();
  return kMap;
}

void EncodeBnbDynamic(const float* values, int64_t n, uint8_t* codes, float* absmax) {
  static const std::vector<uint8_t> kLookup = MakeLookup(BnbDynamicMap());
  constexpr int64_t kBlock = 256;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    float largest = 0.0f;
    for (int64_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(values[i]));
    *absmax++ = largest;
    const float inverse = 1.0f / largest;
    for (int64_t i = begin; i < end; ++i) {
      const float s = std::min(std::max(values[i] * inverse, -1.0f), 1.0f);
      const float at = (s + 1.0f) * 32767.5f + 0.5f;
      codes[i] = largest == 0.0f || std::isnan(at)
                     ? uint8_t{0}
                     : kLookup[std::min(static_cast<int>(at), kSteps - 1)];
    }
  }
}

}  // namespace galen
