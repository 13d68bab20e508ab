#include "media/image/resize.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "media/image/decode.h"
#include "media/image/resample_kernels.h"
#include "media/image/resample_passes.h"
#include "media/image/torch_resize.h"

namespace galen {
namespace {

Image ReadFixture(const std::string& name) {
  return ReadImage(GALEN_SOURCE_DIR "/tests/data/images/" + name).value();
}

Image RandomImage(int64_t width, int64_t height, int64_t channels, uint64_t seed) {
  std::mt19937_64 random(seed);
  Image image{width, height, channels, std::vector<uint8_t>(width * height * channels)};
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
  return image;
}

TEST(ResizeTest, EqualsPillowAndPyTorch) {
  const Image source = ReadFixture("source.png");
  for (const auto& [width, height] : {std::pair<int64_t, int64_t>{7, 5}, {61, 40}, {12, 90}}) {
    const std::string size = std::to_string(width) + "x" + std::to_string(height) + ".png";
    for (int number = 0; number < 6; ++number) {
      const Filter filter = FilterFromNumber(number).value();
      SCOPED_TRACE(std::string(FilterName(filter)) + " to " + size);
      const std::string name = std::to_string(number) + "_" + size;
      EXPECT_TRUE(Resize(source, width, height, filter).pixels ==
                  ReadFixture("resize_" + name).pixels);
      if (filter != Filter::kBilinear && filter != Filter::kBicubic) continue;
      EXPECT_TRUE(ResizeTorch(source, width, height, filter).pixels ==
                  ReadFixture("torch_" + name).pixels);
    }
  }
  const Image boxed = Resize(source, 10, 8, Filter::kBicubic, {2.5f, 1.25f, 30.75f, 20.5f});
  EXPECT_TRUE(boxed.pixels == ReadFixture("resize_box.png").pixels);
}

TEST(ResizeTest, KeepsWhatNeedsNoWork) {
  const Image image = RandomImage(9, 7, 3, 1);
  EXPECT_EQ(Resize(image, 9, 7, Filter::kLanczos).pixels, image.pixels);
  EXPECT_EQ(ResizeTorch(image, 9, 7, Filter::kBicubic).pixels, image.pixels);
  const Image flat{5, 4, 1, std::vector<uint8_t>(20, 93)};
  for (const Filter filter : {Filter::kBox, Filter::kBicubic, Filter::kLanczos}) {
    EXPECT_EQ(Resize(flat, 11, 3, filter).pixels, std::vector<uint8_t>(33, 93));
  }
  const Image corner = Resize(image, 2, 3, Filter::kBicubic, {1, 2, 3, 5});  // a crop
  EXPECT_EQ(corner.row(0)[0], image.row(2)[3]);
  EXPECT_EQ(corner.row(2)[5], image.row(4)[8]);
}

TEST(ResizeTest, NumbersOfFilters) {
  EXPECT_EQ(FilterFromNumber(2), Filter::kBilinear);
  EXPECT_EQ(FilterFromNumber(-1), std::nullopt);
  EXPECT_EQ(FilterFromNumber(6), std::nullopt);
  EXPECT_EQ(FilterName(Filter::kHamming), "hamming");
}

double PlainTriangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }
double Sharp(double x) { return std::abs(x) < 0.5 ? 1.5 : std::abs(x) < 1.0 ? -0.5 : 0.0; }

// Every instruction set of this machine gives the bytes of the scalar loops, on shapes that leave
// rests in every direction.
TEST(ResampleKernelsTest, AgreeOnOddShapes) {
  const auto kernels = SupportedResampleKernels();
  ASSERT_EQ(kernels.front(), &kResampleRef);
  std::mt19937_64 random(7);
  for (int round = 0; round < 60; ++round) {
    const auto size = [&](int64_t limit) { return static_cast<int64_t>(random() % limit) + 1; };
    const int64_t channels = round % 3 == 0 ? 1 : 3;
    const Image image = RandomImage(size(90), size(40), channels, random());
    const int64_t width = size(70), height = size(30);
    const FilterFunction filter = {round % 2 ? Sharp : PlainTriangle, 1.0};
    for (const int bits : {22, 11}) {
      ResamplePasses passes;
      const auto weights = [&](int64_t from, int64_t to) {
        const double scale = static_cast<double>(from) / static_cast<double>(to);
        return ToFixed(ScaledWeights(from, 0, scale, to, filter), bits);
      };
      passes.columns = weights(image.width, width);
      passes.rows = weights(image.height, height);
      passes.rows_first = round % 5 == 0;
      const Image want = RunPasses(image, passes, kResampleRef);
      for (const ResampleKernels* kernel : kernels) {
        EXPECT_TRUE(RunPasses(image, passes, *kernel).pixels == want.pixels)
            << kernel->name << ' ' << image.width << 'x' << image.height << 'x' << channels
            << " to " << width << 'x' << height;
      }
    }
  }
}

TEST(ResampleKernelsTest, OneTapAndManyTaps) {
  for (const ResampleKernels* kernel : SupportedResampleKernels()) {
    SCOPED_TRACE(kernel->name);
    const Image image = RandomImage(3000, 17, 3, 5);
    const auto columns = [&](int64_t to) {
      const double scale = static_cast<double>(image.width) / static_cast<double>(to);
      return ToFixed(ScaledWeights(image.width, 0, scale, to, {PlainTriangle, 1.0}), 22);
    };
    for (const int64_t width : {int64_t{1}, int64_t{2}, int64_t{3000}, int64_t{3001}}) {
      ResamplePasses passes;
      passes.columns = columns(width);
      EXPECT_TRUE(RunPasses(image, passes, *kernel).pixels ==
                  RunPasses(image, passes, kResampleRef).pixels);
    }
  }
}

}  // namespace
}  // namespace galen
