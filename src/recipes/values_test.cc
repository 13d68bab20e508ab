#include "recipes/values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace galen {
namespace {

using Windows = std::vector<std::array<double, 2>>;

TEST(Values, ThreeWindows) {
  const Windows windows = {{-1024, 1024}, {-135, 215}, {0, 80}};
  const std::vector<float> values = {-2000, -1024, -135, 0, 40, 80, 215, 1024, 3000};
  const Image image = WindowsToRgb(values, 9, 1, windows);
  // From NumPy with the notebook's code: round((clip(v) - low) / (high - low) * 255), halves to
  // even.
  const std::vector<uint8_t> expected = {0,   0,   0,   0,   0,   0,   111, 0,   0,
                                         128, 98,  0,   132, 128, 128, 137, 157, 255,
                                         154, 255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(image.pixels, expected);
}

TEST(Values, HalvesGoToEvenAndNaNIsBlack) {
  const Windows window = {{0, 255}};
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {0.5f, 1.5f, 2.5f, 254.5f, nan, inf, -inf};
  const Image image = WindowsToRgb(values, 7, 1, window);
  std::vector<int> red;
  for (size_t i = 0; i < values.size(); ++i) red.push_back(image.pixels[3 * i]);
  EXPECT_EQ(red, (std::vector<int>{0, 2, 2, 254, 0, 255, 0}));
  EXPECT_EQ(image.pixels[3], image.pixels[5]);  // one window fills all channels
}

TEST(Values, Indices) {
  EXPECT_EQ(SpreadIndices(3, 85), (std::vector<int64_t>{0, 1, 2}));
  const auto some = SpreadIndices(300, 85);
  ASSERT_EQ(some.size(), 85u);
  // Python: [int(round(i / 85 * 299)) for i in range(1, 86)]
  EXPECT_EQ(std::vector<int64_t>(some.begin(), some.begin() + 6),
            (std::vector<int64_t>{4, 7, 11, 14, 18, 21}));
  EXPECT_EQ(some.back(), 299);
  // Halves: round(1 / 2 * 5) is 2 in Python.
  EXPECT_EQ(SpreadIndices(6, 2), (std::vector<int64_t>{2, 5}));
  EXPECT_TRUE(SpreadIndices(0, 5).empty());
}

TEST(Values, Percentiles) {
  std::vector<float> values;
  for (int i = 100; i >= 0; --i) values.push_back(static_cast<float>(i));
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(PercentileWindow(&values, {1, 99}), (std::array<double, 2>{1, 99}));
  values = {0, 10};
  EXPECT_EQ(PercentileWindow(&values, {25, 100}), (std::array<double, 2>{2.5, 10}));
  values = {3, 3, 3};
  EXPECT_EQ(PercentileWindow(&values, {1, 99}), (std::array<double, 2>{3, 4}));
  values = {std::numeric_limits<float>::infinity()};
  EXPECT_EQ(PercentileWindow(&values, {1, 99}), (std::array<double, 2>{0, 1}));
}

}  // namespace
}  // namespace galen
