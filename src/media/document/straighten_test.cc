#include "media/document/straighten.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "media/document/text_lines.h"

namespace galen {
namespace {

constexpr int64_t kWidth = 700, kHeight = 900, kLines = 24, kLineHeight = 10;

// Whether a level page has ink there: lines of words of six letters.
bool Ink(double x, double y) {
  const double line = std::floor((y - 100) / 28);
  if (line < 0 || line >= kLines || y - 100 - 28 * line >= kLineHeight) return false;
  if (x < 80 || x >= 620) return false;
  const double word = std::fmod(x - 80, 90);  // letters of 7.5, 2.5 apart, and a gap
  return word < 60 && std::fmod(word, 10) < 7.5;
}

// at: where a point of the picture lies on the level page, both from the middle.
template <typename At>
Image Picture(At at) {
  Image image{kWidth, kHeight, 1, std::vector<uint8_t>(kWidth * kHeight, 250)};
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      const auto [px, py] =
          at(static_cast<double>(x) - kWidth / 2.0, static_cast<double>(y) - kHeight / 2.0);
      if (Ink(px + kWidth / 2.0, py + kHeight / 2.0)) image.row(y)[x] = 20;
    }
  }
  return image;
}

void ExpectLevelLines(const Image& image) {
  const auto lines = FindTextLines(image);
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(std::ssize(*lines), kLines);
  for (const TextLine& line : *lines) {
    EXPECT_EQ(line.words.size(), 6u);
    EXPECT_LE(line.box.height(), kLineHeight + 3);
    EXPECT_GT(line.box.width(), 480);
  }
}

TEST(Straighten, LevelPagesStayAsTheyAre) {
  const Image image = Picture([](double x, double y) { return std::pair(x, y); });
  const auto straight = Straighten(image);
  ASSERT_TRUE(straight.ok());
  EXPECT_TRUE(straight->slope.level());
  EXPECT_EQ(straight->image.pixels, image.pixels);
}

TEST(Straighten, TurnedPages) {
  for (const double angle : {-0.12, -0.06, -0.03, -0.012, 0.006, 0.025, 0.09}) {
    const Image image = Picture([&](double x, double y) {
      return std::pair(x * std::cos(angle) + y * std::sin(angle),
                       y * std::cos(angle) - x * std::sin(angle));
    });
    const auto straight = Straighten(image);
    ASSERT_TRUE(straight.ok());
    EXPECT_NEAR(straight->slope.slope, std::tan(angle), 0.004) << angle;
    ExpectLevelLines(straight->image);
    // A box is found again: the middle of the first word of the fourth line.
    const double x = 110 - kWidth / 2.0, y = 100 + 3 * 28 + 5 - kHeight / 2.0;
    const double px = x * std::cos(angle) - y * std::sin(angle) + kWidth / 2.0;
    const double py = x * std::sin(angle) + y * std::cos(angle) + kHeight / 2.0;
    const auto lines = FindTextLines(straight->image);
    const PixelBox& word = (*lines)[3].words[0];
    const Box found =
        straight->Askew({static_cast<double>(word.left), static_cast<double>(word.top),
                         static_cast<double>(word.right), static_cast<double>(word.bottom)});
    EXPECT_NEAR((found.x0 + found.x1) / 2, px, 3) << angle;
    EXPECT_NEAR((found.y0 + found.y1) / 2, py, 3) << angle;
  }
}

TEST(Straighten, Photographs) {
  // The right edge is farther away.
  const Image image = Picture([](double x, double y) {
    const double away = 1 + 0.00012 * x;
    return std::pair(x * away, y * away);
  });
  const auto straight = Straighten(image);
  ASSERT_TRUE(straight.ok());
  EXPECT_FALSE(straight->slope.level());
  ExpectLevelLines(straight->image);
}

TEST(Straighten, WhatIsNoPageStaysAsItIs) {
  Image blank{40, 30, 3, std::vector<uint8_t>(40 * 30 * 3, 255)};
  const auto straight = Straighten(blank);
  ASSERT_TRUE(straight.ok());
  EXPECT_EQ(straight->image.pixels, blank.pixels);
  EXPECT_FALSE(Straighten(Image{}).ok());
}

}  // namespace
}  // namespace galen
