#include "media/dicom/frame_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "media/dicom/test_images.h"

namespace galen {
namespace {

using dicom::DicomWriter;
using dicom::TestImage;

double At(const FrameValues& values, size_t k) {
  const uint8_t* p = values.data.data();
  switch (values.type) {
    case SampleType::kUint8:
      return p[k];
    case SampleType::kUint16:
      return reinterpret_cast<const uint16_t*>(p)[k];
    case SampleType::kInt16:
      return reinterpret_cast<const int16_t*>(p)[k];
    case SampleType::kFloat32:
      return reinterpret_cast<const float*>(p)[k];
    default:
      return NAN;
  }
}

// As a viewer draws it.
std::vector<uint8_t> Draw(const FrameValues& values) {
  std::vector<uint8_t> pixels;
  for (size_t k = 0; k < static_cast<size_t>(values.rows * values.columns); ++k) {
    const double x = At(values, k) * values.slope + values.intercept;
    const dicom::GreyRange& r = values.range;
    const double share = !values.tables.empty()    ? values.tables[0].At(x) / values.tables[0].Top()
                         : !values.windows.empty() ? values.windows[0].Fraction(x)
                         : r.high > r.low          ? (x - r.low) / (r.high - r.low)
                                                   : 0;
    const auto grey = static_cast<uint8_t>(std::floor(std::clamp(share, 0.0, 1.0) * 255 + 0.5));
    pixels.push_back(values.inverted ? static_cast<uint8_t>(255 - grey) : grey);
  }
  return pixels;
}

void ExpectAsRendered(const TestImage& image, SampleType type) {
  const Result<DicomFile> file = DicomFile::Parse(image.File());
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Result<FrameValues> values = ReadFrameValues(*file, 0);
  ASSERT_TRUE(values.ok()) << values.status().message();
  EXPECT_EQ(values->type, type);
  EXPECT_EQ(values->data.size(), static_cast<size_t>(6 * values->bytes_per_pixel()));
  EXPECT_EQ(Draw(*values), file->Render(0)->pixels);
  const std::vector<float> physical = *file->ReadPhysical(0);
  for (size_t k = 0; k < physical.size(); ++k) {
    EXPECT_EQ(static_cast<float>(At(*values, k) * values->slope + values->intercept), physical[k]);
  }
}

TEST(FrameValues, AreEnoughToDrawWhatRenderDraws) {
  TestImage image;
  ExpectAsRendered(image, SampleType::kUint16);  // its range
  image.extra.Text(dicom::kRescaleIntercept, "DS", "-1024").Text(dicom::kRescaleSlope, "DS", "1.5");
  image.extra.Text(dicom::kWindowCenter, "DS", "-1021\\40")
      .Text(dicom::kWindowWidth, "DS", "5\\400");
  ExpectAsRendered(image, SampleType::kUint16);
  image.photometric = "MONOCHROME1";
  image.is_signed = 1;
  ExpectAsRendered(image, SampleType::kInt16);
  const FrameValues values = *ReadFrameValues(*DicomFile::Parse(image.File()), 0);
  EXPECT_EQ(values.windows.size(), 2u);
  EXPECT_EQ(values.unit, "HU");
  EXPECT_TRUE(values.inverted);
}

TEST(FrameValues, WideIntegersComeAsFloats) {
  TestImage image;
  image.allocated = 32;
  image.stored = 32;
  image.high = 31;
  image.pixels = std::vector<uint8_t>(24, 0);
  for (size_t k = 0; k < 6; ++k) image.pixels[4 * k + 2] = static_cast<uint8_t>(k);  // k * 65536
  image.extra.Text(dicom::kRescaleIntercept, "DS", "7").Text(dicom::kRescaleSlope, "DS", "2");
  ExpectAsRendered(image, SampleType::kFloat32);
}

TEST(FrameValues, RefusesWhatHasNoPicture) {
  TestImage image;
  image.photometric = "NONSENSE";
  EXPECT_FALSE(ReadFrameValues(*DicomFile::Parse(image.File()), 0).ok());
  EXPECT_EQ(ReadFrameValues(*DicomFile::Parse(TestImage().File()), 1).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace galen
