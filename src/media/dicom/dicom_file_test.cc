#include "media/dicom/dicom_file.h"

#include <gtest/gtest.h>

#include <thread>

#include "media/dicom/test_images.h"

namespace galen {
namespace {

using dicom::AsFile;
using dicom::DicomWriter;
using dicom::TestImage;

bool Has(const DicomWarnings& warnings, const std::string& code) {
  for (const DicomWarning& warning : warnings) {
    if (warning.code == code) return true;
  }
  return false;
}

const std::string kImages = std::string(GALEN_SOURCE_DIR) + "/tests/data/dicom/";

TEST(DicomFile, ReadsStoredValues) {
  const Result<DicomFile> file = DicomFile::Parse(TestImage().File());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->frames(), 1);
  const Result<StoredFrame> frame = file->ReadFrame(0);
  ASSERT_TRUE(frame.ok()) << frame.status().message();
  ASSERT_EQ(frame->type, SampleType::kUint16);
  const std::vector<uint16_t> wanted = {0, 1, 2, 3, 4, 4095};
  EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), frame->As<uint16_t>().begin()));
}

TEST(DicomFile, ClearsUnusedBitsAndHonoursTheHighBit) {
  TestImage image;
  image.pixels = {0xFF, 0xFF, 0x00, 0xF8, 0xFF, 0x07, 0, 0, 0, 0, 0, 0};
  image.is_signed = 1;
  const Result<DicomFile> low = DicomFile::Parse(image.File());
  const StoredFrame a = *low->ReadFrame(0);
  EXPECT_EQ(a.As<int16_t>()[0], -1);
  EXPECT_EQ(a.As<int16_t>()[1], -2048);
  EXPECT_EQ(a.As<int16_t>()[2], 2047);
  image.high = 15;
  const Result<DicomFile> high = DicomFile::Parse(image.File());
  EXPECT_TRUE(Has(high->warnings(), "high-bit"));
  const StoredFrame b = *high->ReadFrame(0);
  EXPECT_EQ(b.As<int16_t>()[1], -128);  // 0xF800 / 16
  EXPECT_EQ(b.As<int16_t>()[2], 127);   // 0x07FF / 16
}

TEST(DicomFile, RefusesHeadersThatCannotBe) {
  const auto code = [](const TestImage& image) {
    const Result<DicomFile> file = DicomFile::Parse(image.File());
    return file.ok() ? StatusCode::kOk : file.status().code();
  };
  TestImage image;
  for (const char* frames : {"0", "-3", "x", "99999999999"}) {
    image.frames = frames;
    EXPECT_EQ(code(image), StatusCode::kDataLoss) << frames;
  }
  image = {};
  image.rows = 0;
  EXPECT_EQ(code(image), StatusCode::kDataLoss);
  image = {};
  image.stored = 17;
  EXPECT_EQ(code(image), StatusCode::kDataLoss);
  image = {};
  image.allocated = 24;
  EXPECT_EQ(code(image), StatusCode::kUnsupported);
  image = {};
  image.rows = image.columns = 65535;
  EXPECT_EQ(code(image), StatusCode::kResourceExhausted);
}

TEST(DicomFile, ReadsTheWholeFramesOfACutFile) {
  TestImage image;
  image.frames = "3";
  image.pixels.resize(30, 1);  // two and a half frames
  const Result<DicomFile> file = DicomFile::Parse(image.File());
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->ReadFrame(1).ok());
  EXPECT_EQ(file->ReadFrame(2).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(file->ReadFrame(3).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file->ReadFrame(-1).status().code(), StatusCode::kInvalidArgument);
}

TEST(DicomFile, SaysHowItRendered) {
  TestImage image;
  RenderReport report;
  EXPECT_TRUE(DicomFile::Parse(image.File())->Render(0, {}, &report).ok());
  EXPECT_EQ(report.voi, "frame range");
  image.extra.Text(dicom::kWindowCenter, "DS", "2\\3").Text(dicom::kWindowWidth, "DS", "4\\1");
  const DicomFile file = *DicomFile::Parse(image.File());
  EXPECT_TRUE(file.Render(0, {}, &report).ok());
  EXPECT_EQ(report.voi, "window 1 of 2");
  EXPECT_EQ(file.Render(0, {}, &report)->pixels, (std::vector<uint8_t>{0, 85, 170, 255, 255, 255}));
  RenderOptions second;
  second.voi_index = 1;
  EXPECT_TRUE(file.Render(0, second, &report).ok());
  EXPECT_EQ(report.voi, "window 2 of 2");
  second.voi_index = 2;
  EXPECT_EQ(file.Render(0, second).status().code(), StatusCode::kInvalidArgument);
  RenderOptions given;
  given.window = DicomWindow{0, 0.5, WindowFunction::kLinear};
  EXPECT_EQ(file.Render(0, given).status().code(), StatusCode::kInvalidArgument);
}

TEST(DicomFile, InvertsMonochrome1Once) {
  TestImage image;
  image.photometric = "MONOCHROME1";
  image.extra.Text(dicom::kWindowCenter, "DS", "2").Text(dicom::kWindowWidth, "DS", "4");
  image.extra.Text(dicom::kPresentationShape, "CS", "INVERSE");
  RenderReport report;
  const Result<Image> picture = DicomFile::Parse(image.File())->Render(0, {}, &report);
  ASSERT_TRUE(picture.ok());
  EXPECT_TRUE(report.inverted);
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_EQ(picture->pixels, (std::vector<uint8_t>{255, 170, 85, 0, 0, 0}));
}

TEST(DicomFile, LeavesPaddingOutOfTheFrameRange) {
  TestImage image;
  image.extra.Word(dicom::kPixelPadding, 4095);
  const DicomFile file = *DicomFile::Parse(image.File());
  EXPECT_EQ(file.info().padding_low, 4095);
  RenderReport report;
  ASSERT_TRUE(file.Render(0, {}, &report).ok());
  ASSERT_TRUE(report.window.has_value());
  EXPECT_EQ(report.window->center, 2);
  EXPECT_EQ(report.window->width, 4);
}

TEST(DicomFile, KeepsIdentityOnlyWhenAsked) {
  const TestImage image;
  const DicomFile anonymous = *DicomFile::Parse(image.File());
  EXPECT_EQ(anonymous.info().identity.kept, nullptr);
  DicomOptions keep;
  keep.keep_identity = true;
  const DicomFile named = *DicomFile::Parse(image.File(), keep);
  ASSERT_NE(named.info().identity.kept, nullptr);
  EXPECT_EQ(named.info().identity.kept->patient_id.Reveal(), "secret-id");
  EXPECT_TRUE(anonymous.info().identity.MayBeSamePatient(named.info().identity));
  TestImage other;
  other.patient = "another";
  EXPECT_FALSE(
      anonymous.info().identity.MayBeSamePatient(DicomFile::Parse(other.File())->info().identity));
}

TEST(DicomFile, ReadsASlideTileByTile) {
  const Result<DicomFile> file =
      DicomFile::Open(kImages + "multiframe_camelyon_challenge_image.dcm");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Result<DicomTiling> tiling = file->Tiling();
  ASSERT_TRUE(tiling.ok()) << tiling.status().message();
  EXPECT_TRUE(tiling->full);
  EXPECT_EQ(tiling->Tile(7).column, 512);
  EXPECT_EQ(tiling->Tile(7).row, 256);
  EXPECT_EQ(tiling->FrameAt(600, 300), 7);
  EXPECT_FALSE(tiling->FrameAt(tiling->total_columns, 0).has_value());
  // Frames are independent: several threads share the file.
  std::vector<Image> images(static_cast<size_t>(file->frames()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = t; i < file->frames(); i += 3)
        images[static_cast<size_t>(i)] = *file->Render(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int64_t i = 0; i < file->frames(); ++i)
    EXPECT_EQ(images[static_cast<size_t>(i)].pixels, file->Render(i)->pixels);
}

TEST(DicomFile, IsNotFooledByOtherFiles) {
  const std::string text = "%PDF-1.4 this is something else, and long enough to be looked at";
  const Result<DicomFile> file = DicomFile::Parse(std::vector<uint8_t>(text.begin(), text.end()));
  EXPECT_EQ(file.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DicomFile::Parse(std::vector<uint8_t>()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DicomFile::Open(kImages + "missing.dcm").status().code(), StatusCode::kNotFound);
}

TEST(DicomFile, GivesTheBytesOfADocument) {
  DicomWriter w;
  w.Text(dicom::kSopClass, "UI", "1.2.840.10008.5.1.4.1.1.104.1")
      .Bytes(dicom::kDocument, "OB", {'%', 'P', 'D', 'F', 0, 0});
  w.Text(dicom::kDocumentMime, "LO", "application/pdf")
      .Bytes(dicom::kDocumentLength, "UL", {5, 0, 0, 0});
  const Result<DicomFile> file = DicomFile::Parse(AsFile(w.bytes()));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->frames(), 0);
  EXPECT_EQ(file->info().document_type, "application/pdf");
  EXPECT_EQ(file->ReadDocument()->size(), 5U);
  EXPECT_EQ(file->ReadFrame(0).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace galen
