#include "media/dicom/data_set_parser.h"

#include <gtest/gtest.h>

#include "media/dicom/test_images.h"

namespace galen::dicom {
namespace {

constexpr uint32_t kUndefined = 0xFFFFFFFF;

Result<DataSet> Parse(const DicomWriter& w, const DicomOptions& options = {}) {
  return ParseDataSet(w.bytes(), {true, false}, options, nullptr);
}

TEST(DataSetParser, ReadsValuesOfEachKind) {
  DicomWriter w;
  w.Text(kModality, "CS", "CT")
      .Text(kWindowCenter, "DS", "40\\-600.5")
      .Word(kRows, 512)
      .Text(kInstanceNumber, "IS", "+7");
  const Result<DataSet> data = Parse(w);
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->Text(kModality), "CT");
  EXPECT_EQ(data->Numbers(kWindowCenter, Vr('D', 'S')), (std::vector<double>{40, -600.5}));
  EXPECT_EQ(data->Integer(kRows, Vr('U', 'S')), 512);
  EXPECT_EQ(data->Integer(kInstanceNumber, Vr('I', 'S')), 7);
  EXPECT_FALSE(data->Integer(kColumns, Vr('U', 'S')).has_value());
}

TEST(DataSetParser, ReadsSequencesOfBothLengths) {
  DicomWriter inner;
  inner.Text(kWindowCenter, "DS", "40");
  const uint32_t length = static_cast<uint32_t>(inner.bytes().size());
  DicomWriter defined;
  defined.Header(kFrameVoiLuts, "SQ", length + 8)
      .Item(length)
      .Text(kWindowCenter, "DS", "40")
      .Word(kRows, 3);
  DicomWriter undefined;
  undefined.Header(kFrameVoiLuts, "SQ", kUndefined)
      .Item(kUndefined)
      .Text(kWindowCenter, "DS", "40");
  undefined.Structural(kItemEnd, 0).Structural(kSequenceEnd, 0).Word(kRows, 3);
  for (const DicomWriter& w : {defined, undefined}) {
    const Result<DataSet> data = Parse(w);
    ASSERT_TRUE(data.ok()) << data.status().message();
    ASSERT_NE(data->Item(kFrameVoiLuts), nullptr);
    EXPECT_EQ(data->Item(kFrameVoiLuts)->Number(kWindowCenter, Vr('D', 'S')), 40);
    EXPECT_EQ(data->Integer(kRows, Vr('U', 'S')), 3);
  }
}

TEST(DataSetParser, RefusesLengthsBeyondTheFile) {
  for (const uint32_t length : {5000U, 0x80000000U, 0xFFFFFFFEU}) {
    DicomWriter w;
    w.Header(kLutData, "OW", length).Word(kRows, 1);
    const Result<DataSet> data = Parse(w);
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.status().code(), StatusCode::kDataLoss);
  }
}

TEST(DataSetParser, RefusesEndlessSequencesAndStrayDelimiters) {
  DicomWriter endless;
  endless.Header(kFrameVoiLuts, "SQ", kUndefined).Item(kUndefined).Word(kRows, 1);
  EXPECT_FALSE(Parse(endless).ok());
  DicomWriter stray;
  stray.Structural(kItemEnd, 0);
  EXPECT_FALSE(Parse(stray).ok());
  DicomWriter wrong;
  wrong.Header(kFrameVoiLuts, "SQ", 10).Word(kRows, 1);
  EXPECT_FALSE(Parse(wrong).ok());
}

TEST(DataSetParser, BoundsDepth) {
  DicomWriter w;
  for (int depth = 0; depth < 100000; ++depth)
    w.Header(0x00091010, "SQ", kUndefined).Item(kUndefined);
  const Result<DataSet> data = Parse(w);
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.status().code(), StatusCode::kResourceExhausted);
}

TEST(DataSetParser, BoundsElements) {
  DicomWriter w;
  for (uint16_t i = 0; i < 100; ++i) w.Word(0x00090000U + i, i);
  DicomOptions options;
  options.max_elements = 50;
  EXPECT_EQ(Parse(w, options).status().code(), StatusCode::kResourceExhausted);
  options.max_elements = 100;
  EXPECT_TRUE(Parse(w, options).ok());
}

TEST(DataSetParser, StepsOverUnknownSequences) {
  DicomWriter w;
  w.Header(0x00081140, "SQ", kUndefined)
      .Item(kUndefined)
      .Text(kPatientName, "PN", "X")
      .Structural(kItemEnd, 0);
  w.Structural(kSequenceEnd, 0).Word(kRows, 9);
  const Result<DataSet> data = Parse(w);
  ASSERT_TRUE(data.ok());
  EXPECT_TRUE(data->Items(0x00081140).empty());
  EXPECT_EQ(data->Integer(kRows, Vr('U', 'S')), 9);
}

TEST(DataSetParser, TellsEncodingsApart) {
  DicomWriter w;
  w.Text(kModality, "CS", "CT");
  EXPECT_TRUE(GuessEncoding(w.bytes())->explicit_vr);
  const std::vector<uint8_t> implicit = {8, 0, 0x60, 0, 2, 0, 0, 0, 'C', 'T'};
  EXPECT_FALSE(GuessEncoding(implicit)->explicit_vr);
  const std::vector<uint8_t> big = {0, 8, 0, 0x60, 'C', 'S', 0, 2, 'C', 'T'};
  EXPECT_TRUE(GuessEncoding(big)->big_endian);
  const std::string text = "#!/bin/sh\necho hello\n";
  EXPECT_FALSE(GuessEncoding({reinterpret_cast<const uint8_t*>(text.data()), text.size()}).ok());
  EXPECT_FALSE(GuessEncoding({}).ok());
}

}  // namespace
}  // namespace galen::dicom
