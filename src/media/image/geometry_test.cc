#include "media/image/geometry.h"

#include <gtest/gtest.h>

#include "media/image/draw.h"
#include "media/image/font.h"
#include "media/image/normalize.h"
#include "media/image/orientation.h"

namespace galen {
namespace {

using Pixels = std::vector<uint8_t>;

// 1 2 3
// 4 5 6
const Image kSix = {3, 2, 1, {1, 2, 3, 4, 5, 6}};

TEST(GeometryTest, CropAndFrame) {
  EXPECT_EQ(Crop(kSix, 1, 0, 2, 2).pixels, (Pixels{2, 3, 5, 6}));
  EXPECT_EQ(Crop(kSix, -1, 1, 3, 2).pixels, (Pixels{0, 4, 5, 0, 0, 0}));
  EXPECT_EQ(Crop(kSix, 10, 10, 1, 1).pixels, Pixels{0});
  EXPECT_EQ(CenterCrop(kSix, 1, 2).pixels, (Pixels{2, 5}));
  EXPECT_EQ(CenterCrop(kSix, 2, 1).pixels, (Pixels{1, 2}));
  // One row too few: it comes above, as transformers rounds.
  EXPECT_EQ(CenterCrop(kSix, 3, 3).pixels, (Pixels{0, 0, 0, 1, 2, 3, 4, 5, 6}));
  // Padding to a square puts the odd row below.
  EXPECT_EQ(PadToSquare(kSix, {9, 9, 9}).pixels, (Pixels{1, 2, 3, 4, 5, 6, 9, 9, 9}));
}

TEST(OrientationTest, TurnsAsExifSays) {
  const std::pair<int, Pixels> cases[] = {
      {1, {1, 2, 3, 4, 5, 6}}, {2, {3, 2, 1, 6, 5, 4}}, {3, {6, 5, 4, 3, 2, 1}},
      {4, {4, 5, 6, 1, 2, 3}}, {5, {1, 4, 2, 5, 3, 6}}, {6, {4, 1, 5, 2, 6, 3}},
      {7, {6, 3, 5, 2, 4, 1}}, {8, {3, 6, 2, 5, 1, 4}}, {9, {1, 2, 3, 4, 5, 6}},
  };
  for (const auto& [orientation, pixels] : cases) {
    const Image image = ApplyOrientation(kSix, orientation);
    EXPECT_EQ(image.pixels, pixels) << orientation;
    EXPECT_EQ(image.width, orientation >= 5 && orientation <= 8 ? 2 : 3);
  }
}

TEST(OrientationTest, FindsTheTag) {
  using std::string;
  const string little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const string big("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x05", 22);
  EXPECT_EQ(FindOrientation(little, ""), 6);
  EXPECT_EQ(FindOrientation(string("Exif\0\0", 6) + big, ""), 5);
  EXPECT_EQ(FindOrientation("", "<a tiff:Orientation=\"8\">"), 8);
  EXPECT_EQ(FindOrientation("", "<tiff:Orientation>3<"), 3);
  EXPECT_EQ(FindOrientation(little, "tiff:Orientation=\"8\""), 6);
  EXPECT_EQ(FindOrientation("", "tiff:Orientation=\"9\""), 1);
  for (size_t size = 0; size < little.size() - 2; ++size) {
    EXPECT_EQ(FindOrientation(little.substr(0, size), ""), 1);
  }
  string far = little;
  far.replace(4, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(FindOrientation(far, ""), 1);
}

// Values of (np.float64(byte) * (1 / 255)).astype(np.float32), minus mean, over std, in NumPy.
TEST(NormalizeTest, RoundsAsNumPy) {
  const Image image = {4, 1, 1, {0, 1, 127, 255}};
  std::vector<float> out(4);
  Normalize(image, {1.0 / 255, {0.5, 0, 0}, {0.5, 1, 1}}, out);
  EXPECT_EQ(out, (std::vector<float>{-1.0f, -0.99215686f, -0.0039215684f, 1.0f}));
  const Image pixel = {1, 1, 3, {10, 20, 30}};
  std::vector<float> planes(3);
  Normalize(pixel, {1, {10, 0, 0}, {1, 2, 3}}, planes);
  EXPECT_EQ(planes, (std::vector<float>{0, 10, 10}));
}

TEST(DrawTest, BoxStaysInside) {
  Image image = {8, 8, 3, Pixels(8 * 8 * 3)};
  DrawBox(&image, {1, 2, 7, 20}, {255, 0, 0}, 1);
  const auto red = [&](int64_t x, int64_t y) { return image.row(y)[3 * x]; };
  EXPECT_EQ(red(0, 2), 0);
  EXPECT_EQ(red(1, 2), 255);
  EXPECT_EQ(red(2, 7), 255);
  EXPECT_EQ(red(3, 5), 0);
  EXPECT_EQ(red(5, 5), 255);
  EXPECT_EQ(red(7, 5), 0);
  DrawLabelledBox(&image, {-5, -5, 3, 3}, "nodule \xc3\xa9", {0, 255, 0});  // larger than the image
  DrawLabelledBox(&image, {20, 20, 30, 30}, "", {0, 255, 0});
}

TEST(DrawTest, LettersAreSet) {
  Image image = {40, 12, 3, Pixels(40 * 12 * 3)};
  DrawLabel(&image, 0, 0, "I-", {255, 255, 255}, {10, 10, 10}, 1);
  const auto at = [&](int64_t x, int64_t y) { return image.row(y)[3 * x]; };
  EXPECT_EQ(at(0, 0), 10);
  for (int y = 1; y <= 7; ++y) EXPECT_EQ(at(3, y), 255) << y;  // the stem of I
  for (int x = 7; x < 12; ++x) EXPECT_EQ(at(x, 4), 255) << x;  // the dash
  EXPECT_EQ(at(20, 4), 0);
  EXPECT_EQ(&GlyphOf('\x01'), &GlyphOf('?'));
}

}  // namespace
}  // namespace galen
