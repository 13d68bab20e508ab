#include "server/slides/slide_tiles.h"

#include <gtest/gtest.h>

namespace galen::server {
namespace {

// Every pixel of level l at (x, y) says where it is of the whole slide, in steps of eight pixels.
class MappedSlide : public Slide {
 public:
  explicit MappedSlide(std::vector<SlideLevel> levels) { info_.levels = std::move(levels); }
  Result<Image> Read(int level, int64_t x, int64_t y, int64_t width,
                     int64_t height) const override {
    RETURN_IF_ERROR(CheckRectangle(level, width, height));
    most_read = std::max(most_read, width * height);
    last_level = level;
    const double by = info_.levels[static_cast<size_t>(level)].downsample;
    Image image;
    image.width = width;
    image.height = height;
    for (int64_t row = y; row < y + height; ++row) {
      for (int64_t column = x; column < x + width; ++column) {
        image.pixels.push_back(Grey(static_cast<double>(column) * by));
        image.pixels.push_back(Grey(static_cast<double>(row) * by));
        image.pixels.push_back(0);
      }
    }
    return image;
  }
  static uint8_t Grey(double at) {
    return static_cast<uint8_t>(static_cast<int64_t>(at) / 8 % 256);
  }
  mutable int64_t most_read = 0;
  mutable int last_level = -1;
};

TEST(SlideTiles, ZoomsLeadFromTheFinestToOneTile) {
  const MappedSlide whole({{4000, 3000, 1}, {1000, 750, 4}, {250, 188, 16}});
  EXPECT_EQ(ZoomsOf(whole.info()), (std::vector<int>{0, 1, 2, 3, 4}));
  // One level alone: no more than eight pixels become one.
  const MappedSlide single({{100000, 80000, 1}});
  EXPECT_EQ(ZoomsOf(single.info()), (std::vector<int>{0, 1, 2, 3}));
  // A gap between levels: what is too far from the next finer one is left out.
  const MappedSlide gap({{65536, 65536, 1}, {256, 256, 256}});
  EXPECT_EQ(ZoomsOf(gap.info()), (std::vector<int>{0, 1, 2, 3, 8}));
  const MappedSlide small({{100, 50, 1}});
  EXPECT_EQ(ZoomsOf(small.info()), std::vector<int>{0});
}

TEST(SlideTiles, TilesLieWhereTheySay) {
  // Levels as files have them: their sizes are rounded, so the ratio is no power of two.
  const MappedSlide slide({{4001, 3001, 1}, {1000, 750, 4.001}});
  for (const int zoom : ZoomsOf(slide.info())) {
    const ZoomSize size = SizeAt(slide.info(), zoom);
    for (int64_t row = 0; row * kTileSide < size.height; ++row) {
      for (int64_t column = 0; column * kTileSide < size.width; ++column) {
        const auto tile = ReadTile(slide, zoom, column, row);
        ASSERT_TRUE(tile.ok()) << tile.status().message();
        EXPECT_EQ(tile->width, std::min(kTileSide, size.width - column * kTileSide));
        EXPECT_EQ(tile->height, std::min(kTileSide, size.height - row * kTileSide));
        const int64_t by = int64_t{1} << zoom;
        for (const auto& [x, y] : {std::pair<int64_t, int64_t>{0, 0}, {5, 3}}) {
          // Blocks of eight pixels that wrap around: near their edges two are averaged.
          const double at = static_cast<double>((column * kTileSide + x) * by) + (by - 1) / 2.0;
          const int wanted = MappedSlide::Grey(at);
          const int got = tile->row(y)[x * 3];
          EXPECT_TRUE(std::abs(got - wanted) <= 1 || std::abs(got - wanted) >= 100)
              << zoom << " " << column << " " << x << ": " << got << ", not " << wanted;
        }
      }
    }
  }
  EXPECT_EQ(ReadTile(slide, 2, 0, 0)->width, kTileSide);
  EXPECT_EQ(slide.last_level, 1);
  EXPECT_EQ(ReadTile(slide, 1, 0, 0)->width, kTileSide);
  EXPECT_EQ(slide.last_level, 0);
}

TEST(SlideTiles, WhatIsReadIsBounded) {
  const MappedSlide single({{1 << 20, 1 << 20, 1}});
  ASSERT_TRUE(ReadTile(single, 3, 1, 1).ok());
  EXPECT_LE(single.most_read, 2049 * 2049);
  const MappedSlide rounded({{1 << 20, 1 << 20, 1}, {33394, 33394, 31.4}});  // 256 / 31.4 is 8.153
  ASSERT_TRUE(ReadTile(rounded, 8, 1, 1).ok());
  EXPECT_EQ(rounded.last_level, 1);
  EXPECT_LE(rounded.most_read, 2090 * 2090);
  for (const auto& [zoom, column, row] :
       std::vector<std::array<int64_t, 3>>{{4, 0, 0},
                                           {-1, 0, 0},
                                           {99, 0, 0},
                                           {0, 4096, 0},
                                           {0, 0, 4096},
                                           {0, -1, 0},
                                           {0, int64_t{1} << 62, 0}}) {
    EXPECT_EQ(ReadTile(single, static_cast<int>(zoom), column, row).status().code(),
              StatusCode::kNotFound);
  }
}

}  // namespace
}  // namespace galen::server
