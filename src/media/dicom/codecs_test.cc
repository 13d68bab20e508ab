// Hostile and odd input to the parts that unpack frames.
#include <gtest/gtest.h>

#include <cstdlib>

#include "media/dicom/colour.h"
#include "media/dicom/frame_index.h"
#include "media/dicom/isolated.h"
#include "media/dicom/jpeg2000.h"
#include "media/dicom/jpeg_header.h"
#include "media/dicom/native_pixels.h"
#include "media/dicom/rle.h"
#include "media/dicom/test_images.h"

namespace galen::dicom {
namespace {

PixelFormat Grey8(int64_t rows, int64_t columns) {
  PixelFormat format;
  format.rows = rows;
  format.columns = columns;
  format.frames = 1;
  format.bits_allocated = format.bits_stored = 8;
  format.high_bit = 7;
  format.photometric = "MONOCHROME2";
  return format;
}

std::vector<uint8_t> RleFrame(const std::vector<uint8_t>& packed) {
  std::vector<uint8_t> frame(64, 0);
  frame[0] = 1;
  frame[4] = 64;
  frame.insert(frame.end(), packed.begin(), packed.end());
  return frame;
}

TEST(Rle, UnpacksRunsAndLiterals) {
  const Result<std::vector<uint8_t>> out =
      DecodeRle(RleFrame({2, 1, 2, 3, 0xFE, 9, 0x80, 0, 7}), Grey8(1, 7));
  ASSERT_TRUE(out.ok()) << out.status().message();
  EXPECT_EQ(*out, (std::vector<uint8_t>{1, 2, 3, 9, 9, 9, 7}));
}

TEST(Rle, RefusesShortAndStraySegments) {
  EXPECT_FALSE(DecodeRle(RleFrame({2, 1, 2, 3}), Grey8(1, 7)).ok());
  EXPECT_FALSE(DecodeRle(RleFrame({100, 1}), Grey8(1, 7)).ok());
  std::vector<uint8_t> stray = RleFrame({2, 1, 2, 3});
  stray[4] = 0xFF;
  EXPECT_FALSE(DecodeRle(stray, Grey8(1, 3)).ok());
  std::vector<uint8_t> many = RleFrame({2, 1, 2, 3});
  many[0] = 200;
  EXPECT_FALSE(DecodeRle(many, Grey8(1, 3)).ok());
  EXPECT_FALSE(DecodeRle({}, Grey8(1, 3)).ok());
}

DicomWriter Fragments(const std::vector<uint8_t>& table,
                      const std::vector<std::vector<uint8_t>>& fragments) {
  DicomWriter w;
  const auto item = [&](const std::vector<uint8_t>& bytes) {
    w.Item(static_cast<uint32_t>(bytes.size()));
    w.Append(bytes);
  };
  item(table);
  for (const auto& fragment : fragments) item(fragment);
  w.Structural(kSequenceEnd, 0);
  return w;
}

std::vector<uint8_t> FrameOf(const FrameIndex& index, int64_t i) {
  std::vector<uint8_t> buffer;
  const auto bytes = index.Frame(i, &buffer);
  return {bytes->begin(), bytes->end()};
}

TEST(FrameIndex, FollowsTheOffsetTable) {
  const DicomWriter w = Fragments({0, 0, 0, 0, 20, 0, 0, 0}, {{1, 2}, {3, 4}, {5, 6}});
  DicomWarnings warnings;
  const Result<FrameIndex> index = FrameIndex::Build(w.bytes(), 2, {}, &warnings);
  ASSERT_TRUE(index.ok()) << index.status().message();
  EXPECT_EQ(FrameOf(*index, 0), (std::vector<uint8_t>{1, 2, 3, 4}));
  EXPECT_EQ(FrameOf(*index, 1), (std::vector<uint8_t>{5, 6}));
  EXPECT_TRUE(warnings.empty());
}

TEST(FrameIndex, FindsFramesWithoutATable) {
  const std::vector<uint8_t> start = {0xFF, 0xD8, 0xFF, 0xE0};
  const DicomWriter w = Fragments({}, {start, {1, 2}, start, {3, 4}, {5, 6}});
  DicomWarnings warnings;
  const Result<FrameIndex> index = FrameIndex::Build(w.bytes(), 2, {}, &warnings);
  ASSERT_TRUE(index.ok()) << index.status().message();
  EXPECT_EQ(FrameOf(*index, 0).size(), 6U);
  EXPECT_EQ(FrameOf(*index, 1).size(), 8U);
  EXPECT_FALSE(FrameIndex::Build(w.bytes(), 4, {}, &warnings).ok());
  // A table that points into the middle of a fragment is not believed.
  const DicomWriter wrong = Fragments({0, 0, 0, 0, 3, 0, 0, 0}, {{1, 2}, {3, 4}});
  const Result<FrameIndex> fallback = FrameIndex::Build(wrong.bytes(), 2, {}, &warnings);
  ASSERT_TRUE(fallback.ok());
  EXPECT_EQ(FrameOf(*fallback, 1), (std::vector<uint8_t>{3, 4}));
  EXPECT_EQ(warnings.back().code, "offset-table-ignored");
}

TEST(JpegHeader, RefusesWhatContradictsTheImage) {
  const std::vector<uint8_t> stream = {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 4, 0, 5, 1, 1, 0x11, 0};
  EXPECT_TRUE(ReadJpegHeader(stream, Grey8(4, 5)).ok());
  EXPECT_FALSE(ReadJpegHeader(stream, Grey8(4, 6)).ok());
  for (size_t cut = 0; cut < stream.size(); ++cut) {
    EXPECT_FALSE(ReadJpegHeader(std::span(stream).first(cut), Grey8(4, 5)).ok());
  }
}

TEST(JpegHeader, BoundsScans) {
  std::vector<uint8_t> stream = {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 4, 0, 5, 1, 1, 0x11, 0};
  for (int i = 0; i < 100; ++i) stream.insert(stream.end(), {0xFF, 0xDA, 0, 2});
  EXPECT_TRUE(ReadJpegHeader(stream, Grey8(4, 5)).ok());
  stream.insert(stream.end(), {0xFF, 0xDA, 0, 2});
  EXPECT_EQ(ReadJpegHeader(stream, Grey8(4, 5)).status().code(), StatusCode::kResourceExhausted);
}

TEST(Isolated, SurvivesWhatTheChildDoes) {
  const auto good = RunIsolated(2, 5, [](std::span<uint8_t> out) {
    out[1] = 7;
    return true;
  });
  ASSERT_TRUE(good.ok()) << good.status().message();
  EXPECT_EQ(*good, (std::vector<uint8_t>{0, 7}));
  EXPECT_EQ(RunIsolated(2, 5, [](std::span<uint8_t>) { return false; }).status().code(),
            StatusCode::kDataLoss);
  EXPECT_EQ(RunIsolated(2, 5, [](std::span<uint8_t>) -> bool { std::abort(); }).status().code(),
            StatusCode::kDataLoss);
  const auto endless = RunIsolated(2, 1, [](std::span<uint8_t> out) {
    while (out[0] == 0) {
      asm volatile("" : : "r"(out.data()) : "memory");
    }
    return true;
  });
  EXPECT_EQ(endless.status().code(), StatusCode::kResourceExhausted);
}

TEST(Jpeg2000, TellsHighThroughputBlocks) {
  // SOC, then COD of twelve bytes whose style of code blocks is the last but one.
  std::vector<uint8_t> stream = {0xFF, 0x4F, 0xFF, 0x52, 0,    12, 0, 0, 0, 1,
                                 1,    5,    4,    4,    0x40, 1,  0, 0, 0, 0};
  EXPECT_TRUE(MayHaveHighThroughputBlocks(stream));
  stream[14] = 0;
  EXPECT_FALSE(MayHaveHighThroughputBlocks(stream));
}

TEST(Colour, ExpandsSegmentsWithinBounds) {
  const std::vector<uint16_t> plain = {
      0, 2, 10, 20, 1, 3, 50, 2, 1, 0, 0};  // discrete, linear, the first segment again
  const Result<std::vector<uint16_t>> out = ExpandSegments(plain, 7, false, false);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(*out, (std::vector<uint16_t>{10, 20, 30, 40, 50, 10, 20}));
  EXPECT_FALSE(ExpandSegments(std::vector<uint16_t>{1, 3, 50}, 7, false, false)
                   .ok());  // linear from nothing
  EXPECT_FALSE(ExpandSegments(std::vector<uint16_t>{0, 60000, 1}, 7, false, false)
                   .ok());  // data that is not there
  EXPECT_FALSE(ExpandSegments(std::vector<uint16_t>{0, 1, 5, 1, 60000, 9}, 7, false, false).ok());
  // An indirect segment that points at itself ends.
  EXPECT_FALSE(ExpandSegments(std::vector<uint16_t>{0, 1, 5, 2, 1, 6, 0}, 7, false, false).ok());
}

TEST(Colour, ConvertsByTheStandard) {
  std::vector<uint8_t> pixels = {255, 128, 128, 0, 128, 128, 76, 85, 255, 100, 0, 0};
  YbrToRgb(pixels);
  EXPECT_EQ(pixels, (std::vector<uint8_t>{255, 255, 255, 0, 0, 0, 254, 0, 0, 0, 235, 0}));
}

TEST(NativePixels, SharesChromaOfPairs) {
  PixelFormat format = Grey8(1, 4);
  format.samples = 3;
  format.photometric = "YBR_FULL_422";
  const Result<std::vector<uint8_t>> out =
      DecodeNative(std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8}, 0, format, false, false);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(*out, (std::vector<uint8_t>{1, 3, 4, 2, 3, 4, 5, 7, 8, 6, 7, 8}));
}

}  // namespace
}  // namespace galen::dicom
