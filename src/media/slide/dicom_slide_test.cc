#include "media/slide/dicom_slide.h"

#include <gtest/gtest.h>

#include <string>

namespace galen {
namespace {

const std::string kDicomSlide =
    GALEN_SOURCE_DIR "/examples/images/multiframe_camelyon_challenge_image.dcm";

TEST(DicomSlide, TilesOfOtherSizesAreRefused) {
  const auto slide = OpenDicomSlide(kDicomSlide);
  ASSERT_TRUE(slide.ok()) << slide.status().message();
  EXPECT_FALSE((*slide)->info().um_estimated);
  DicomSlideOptions options;
  options.least_tile_side = 16;
  options.most_tile_side = 4096;
  EXPECT_TRUE(OpenDicomSlide(kDicomSlide, options).ok());
  options.most_tile_side = 32;
  const Status large = OpenDicomSlide(kDicomSlide, options).status();
  EXPECT_EQ(large.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(large.message().find("16 to 32"), std::string::npos) << large.message();
  options.least_tile_side = 600;
  options.most_tile_side = 4096;
  EXPECT_EQ(OpenDicomSlide(kDicomSlide, options).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace galen
