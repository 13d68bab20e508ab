#include "media/image/jpeg_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "media/image/decode.h"

namespace galen {
namespace {

TEST(JpegWriter, DecodesToNearlyTheSame) {
  for (const int64_t channels : {1, 3}) {
    Image image{37, 21, channels, {}};
    for (int64_t i = 0; i < 37 * 21; ++i) {
      for (int64_t c = 0; c < channels; ++c)
        image.pixels.push_back(static_cast<uint8_t>(40 + i % 37 * 3 + i / 37 * 2 + c * 10));
    }
    const auto bytes = EncodeJpeg(image, 95);
    ASSERT_TRUE(bytes.ok()) << bytes.status().message();
    EXPECT_EQ(*EncodeJpeg(image, 95), *bytes);
    EXPECT_LT(EncodeJpeg(image, 20)->size(), bytes->size());
    const auto back = DecodeImage(*bytes);
    ASSERT_TRUE(back.ok()) << back.status().message();
    ASSERT_EQ(back->width, 37);
    ASSERT_EQ(back->height, 21);
    for (int64_t i = 0; i < 37 * 21; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        EXPECT_LE(std::abs(back->pixels[static_cast<size_t>(i * back->channels + c)] -
                           image.pixels[static_cast<size_t>(i * channels + c)]),
                  8)
            << i << " " << c;
      }
    }
  }
}

TEST(JpegWriter, RefusesSizesThatTheFormatCannotHave) {
  EXPECT_FALSE(EncodeJpeg({0, 5, 1, {}}, 90).ok());
  EXPECT_FALSE(EncodeJpeg({70000, 1, 1, std::vector<uint8_t>(70000)}, 90).ok());
}

}  // namespace
}  // namespace galen
