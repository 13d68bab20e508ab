#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "media/dicom/test_images.h"
#include "recipes/sources.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

class DicomSeriesChoice : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "dicom_series_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // One slice of a series of its own.
  void Write(const std::string& uid, int number) const {
    dicom::TestImage image;
    image.extra.Text(dicom::kSeriesInstance, "UI", uid)
        .Text(dicom::kSopInstance, "UI", uid + ".1")
        .Text(dicom::kSeriesNumber, "IS", std::to_string(number));
    const std::vector<uint8_t> bytes = image.File();
    std::ofstream(folder_ + "/" + uid, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  Result<SliceStack> Open(int series) const {
    MediaOptions options;
    options.series = series;
    return OpenDicomStack(folder_, options);
  }

  std::string folder_;
};

TEST_F(DicomSeriesChoice, ANumberThatTwoSeriesHaveIsRefused) {
  Write("1.1", 4);
  Write("1.2", 4);
  Write("1.3", 5);
  EXPECT_TRUE(Open(5).ok());
  const Result<SliceStack> two = Open(4);
  ASSERT_EQ(two.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(two.status().message().find("2 series 4"), std::string::npos) << two.status().message();
  EXPECT_EQ(Open(6).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace galen
