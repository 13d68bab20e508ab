#include "media/slide/tissue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace galen {
namespace {

// A slide of levels whose pixels are pink inside of a rectangle of level 0 and white outside.
class PaintedSlide : public Slide {
 public:
  PaintedSlide(std::vector<SlideLevel> levels, double um) {
    info_.levels = std::move(levels);
    info_.um_per_pixel = um;
  }
  Result<Image> Read(int level, int64_t x, int64_t y, int64_t width,
                     int64_t height) const override {
    RETURN_IF_ERROR(CheckRectangle(level, width, height));
    const double scale = info_.levels[static_cast<size_t>(level)].downsample;
    Image image;
    image.width = width;
    image.height = height;
    image.pixels.assign(static_cast<size_t>(width * height * 3), 255);
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        const double at_x = (static_cast<double>(x + c) + 0.5) * scale;
        const double at_y = (static_cast<double>(y + r) + 0.5) * scale;
        if (at_x > x0 && at_x < x1 && at_y > y0 && at_y < y1) image.row(r)[c * 3 + 1] = 120;
      }
    }
    return image;
  }
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

TEST(Tissue, NearestLevelByRatio) {
  SlideInfo info;
  info.levels = {{4000, 4000, 1}, {1000, 1000, 4}, {250, 250, 16}};
  info.um_per_pixel = 0.25;
  EXPECT_EQ(NearestLevel(info, 1), 1);
  EXPECT_EQ(NearestLevel(info, 0.5), 0);  // 0.25 and 1.0 are equally far: the finer one
  EXPECT_EQ(NearestLevel(info, 0.6), 1);
  EXPECT_EQ(NearestLevel(info, 100), 2);
  info.um_per_pixel.reset();
  EXPECT_EQ(NearestLevel(info, 1), 0);
}

TEST(Tissue, AThumbnailIsOfTheCoarsestLevelThatIsLargeEnough) {
  SlideInfo info;
  info.levels = {{100000, 100000, 1}, {1000, 1000, 100}};
  EXPECT_EQ(ThumbnailLevel(info), 0) << "the smaller one is too small";
  info.levels = {{100000, 100000, 1}, {1024, 10, 100}, {512, 5, 200}};
  EXPECT_EQ(ThumbnailLevel(info), 1);
  std::stop_source stop;
  stop.request_stop();
  const PaintedSlide slide({{2000, 2000, 1}}, 1);
  EXPECT_EQ(ReadThumbnail(slide, stop.get_token()).status().code(), StatusCode::kCancelled);
}

TEST(Tissue, PatchesLieOnTissue) {
  PaintedSlide slide({{8000, 6000, 1}, {4000, 3000, 2}}, 0.5);
  slide.x0 = 2000, slide.y0 = 1000, slide.x1 = 6000, slide.y1 = 3000;
  const auto thumbnail = ReadThumbnail(slide);
  ASSERT_TRUE(thumbnail.ok()) << thumbnail.status().message();
  EXPECT_EQ(thumbnail->image.width, 1333);  // 4000 / 3
  EXPECT_EQ(thumbnail->downsample, 6);
  const TissueMask mask = FindTissue(thumbnail->image);
  EXPECT_GE(mask.threshold, kLeastSaturation);
  const double share = static_cast<double>(std::count(mask.tissue.begin(), mask.tissue.end(), 1)) /
                       static_cast<double>(mask.tissue.size());
  EXPECT_NEAR(share, 4000.0 * 2000 / 8000 / 6000, 0.002);
  // Level 1: tissue from (1000, 500) to (3000, 1500), patches of 500.
  const auto patches = FindPatches(slide.info().levels[1], mask, thumbnail->downsample, 500);
  ASSERT_EQ(patches.size(), 8u);
  EXPECT_EQ(patches[0].x, 1000);
  EXPECT_EQ(patches[0].y, 500);
  EXPECT_EQ(patches[3].x, 2500);
  EXPECT_EQ(patches[4].x, 1000);
  EXPECT_EQ(patches[7].y, 1000);
  for (const SlidePatch& patch : patches) EXPECT_GT(patch.tissue, 0.98);
  // A quarter is enough: patches of 800 that reach into the tissue by more than that.
  for (const SlidePatch& patch : FindPatches(slide.info().levels[1], mask, 6, 800)) {
    EXPECT_GE(patch.tissue, kLeastTissue);
  }
}

TEST(Tissue, EmptyGlassHasNone) {
  PaintedSlide slide({{2000, 2000, 1}}, 1);
  const auto thumbnail = ReadThumbnail(slide);
  ASSERT_TRUE(thumbnail.ok());
  const TissueMask mask = FindTissue(thumbnail->image);
  EXPECT_TRUE(FindPatches(slide.info().levels[0], mask, thumbnail->downsample, 500).empty());
}

TEST(Tissue, EdgeToEdge) {
  PaintedSlide slide({{900, 700, 1}}, 1);
  slide.x1 = 900, slide.y1 = 700;
  const auto thumbnail = ReadThumbnail(slide);
  ASSERT_TRUE(thumbnail.ok());
  const TissueMask mask = FindTissue(thumbnail->image);
  // Smaller than a patch: the one that holds it.
  EXPECT_EQ(FindPatches(slide.info().levels[0], mask, 1, 896).size(), 1u);
  EXPECT_EQ(FindPatches(slide.info().levels[0], mask, 1, 300).size(), 6u);
}

TEST(Tissue, ChoiceIsFixedBySeedAndKeepsOrder) {
  std::vector<SlidePatch> all;
  for (int64_t i = 0; i < 400; ++i) all.push_back({i, 0, 1});
  const auto xs = [](const std::vector<SlidePatch>& patches) {
    std::vector<int64_t> list;
    for (const SlidePatch& p : patches) list.push_back(p.x);
    return list;
  };
  const auto first = xs(ChoosePatches(all, 125, 7)), again = xs(ChoosePatches(all, 125, 7));
  EXPECT_EQ(first, again);
  EXPECT_NE(first, xs(ChoosePatches(all, 125, 8)));
  EXPECT_EQ(first.size(), 125u);
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 125u);
  EXPECT_EQ(xs(ChoosePatches(all, 400, 1)), xs(all));
  EXPECT_EQ(xs(ChoosePatches(all, 1000, 1)), xs(all));
  // Each patch has the same chance: 200 draws of 100 out of 400 choose each one 50 times, give or
  // take.
  std::vector<int> times(400);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    for (const SlidePatch& p : ChoosePatches(all, 100, seed)) ++times[static_cast<size_t>(p.x)];
  }
  EXPECT_GT(*std::min_element(times.begin(), times.end()), 20);
  EXPECT_LT(*std::max_element(times.begin(), times.end()), 85);
}

TEST(Tissue, OutlineStaysInside) {
  Image image;
  image.width = image.height = 10;
  image.pixels.assign(300, 0);
  DrawOutline(&image, 2, 3, 6, 100);
  EXPECT_EQ(image.row(3)[2 * 3], 255);
  EXPECT_EQ(image.row(9)[7 * 3], 255);
  EXPECT_EQ(image.row(6)[4 * 3], 0);
  DrawOutline(&image, -1e18, -1e18, 1, 1);
  DrawOutline(&image, 1e18, 0, 1e18, 5);
}

TEST(Slide, RectanglesAreChecked) {
  const PaintedSlide slide({{100, 100, 1}}, 1);
  EXPECT_FALSE(slide.Read(1, 0, 0, 5, 5).ok());
  EXPECT_FALSE(slide.Read(-1, 0, 0, 5, 5).ok());
  EXPECT_FALSE(slide.Read(0, 0, 0, 0, 5).ok());
  EXPECT_FALSE(slide.Read(0, 0, 0, int64_t{1} << 40, int64_t{1} << 40).ok());
}

}  // namespace
}  // namespace galen
