#include "media/dicom/dicom_set.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <type_traits>

#include "media/dicom/data_set_parser.h"
#include "media/dicom/file_sources.h"
#include "media/dicom/test_images.h"

namespace galen {
namespace {

namespace fs = std::filesystem;
using dicom::DicomWriter;
using dicom::TestImage;

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Printable<PrivateText>);
static_assert(!std::is_convertible_v<PrivateText, std::string>);

class DicomSetTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "dicom_set_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::vector<uint8_t>& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }

  static std::vector<uint8_t> Slice(double z, int number, const std::string& patient = "p") {
    TestImage image;
    image.patient = patient;
    image.extra.Text(dicom::kSeriesInstance, "UI", "1.2")
        .Text(dicom::kSopInstance, "UI", "1.2." + std::to_string(number));
    image.extra.Text(dicom::kInstanceNumber, "IS", std::to_string(number));
    image.extra.Text(dicom::kImagePosition, "DS", "0\\0\\" + std::to_string(z));
    image.extra.Text(dicom::kImageOrientation, "DS", "1\\0\\0\\0\\1\\0");
    return image.File();
  }

  std::string folder_;
};

TEST_F(DicomSetTest, SortsByPositionAndKeepsGoing) {
  Write("a", Slice(5, 1));
  Write("b", Slice(0, 2));
  Write("c", Slice(2.5, 3));
  Write("notes.txt", {'h', 'i'});
  std::vector<uint8_t> cut = Slice(9, 4);
  cut.resize(cut.size() - 40);  // inside of an element before the pixels
  Write("cut", cut);
  const Result<DicomSet> set = ReadDicomSet(folder_);
  ASSERT_TRUE(set.ok()) << set.status().message();
  ASSERT_EQ(set->studies.size(), 1U);
  const DicomSeries& series = set->studies[0].series[0];
  ASSERT_EQ(series.slices.size(), 3U);
  EXPECT_EQ(series.slices[0].location, 0);
  EXPECT_EQ(series.slices[2].location, 5);
  EXPECT_EQ(series.slice_spacing, 2.5);
  EXPECT_EQ(set->not_dicom, 1);
  EXPECT_EQ(set->unreadable.size(), 1U);
}

TEST_F(DicomSetTest, RefusesTwoPatientsUnlessAllowed) {
  Write("a", Slice(0, 1));
  Write("b", Slice(1, 2, "q"));
  const Result<DicomSet> refused = ReadDicomSet(folder_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  DicomSetOptions options;
  options.allow_mixed_patients = true;
  const Result<DicomSet> set = ReadDicomSet(folder_, options);
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->studies.size(), 2U);
  EXPECT_NE(set->studies[0].patient, set->studies[1].patient);
}

TEST_F(DicomSetTest, SaysWhenThereIsNothing) {
  EXPECT_EQ(ReadDicomSet(folder_).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadDicomSet(folder_ + "/missing").status().code(), StatusCode::kNotFound);
}

TEST_F(DicomSetTest, BoundsFilesAndSlices) {
  Write("a", Slice(0, 1));
  Write("b", Slice(1, 2));
  DicomSetOptions options;
  options.max_files = 1;
  EXPECT_EQ(ReadDicomSet(folder_, options).status().code(), StatusCode::kResourceExhausted);
  options = {};
  options.max_slices = 1;
  const Result<DicomSet> set = ReadDicomSet(folder_, options);
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->unreadable.size(), 1U);
}

TEST_F(DicomSetTest, VisitsSlicesAndStopsAtAnError) {
  for (int i = 0; i < 20; ++i) Write("s" + std::to_string(i), Slice(i, i));
  const Result<DicomSet> set = ReadDicomSet(folder_);
  ASSERT_TRUE(set.ok());
  const DicomSeries& series = set->studies[0].series[0];
  std::vector<int64_t> all(series.slices.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  std::atomic<int> visited = 0;
  const Status good = ForEachSlice(*set, series, all, 3,
                                   [&](int64_t, const DicomFile& file, const DicomSlice& slice) {
                                     ++visited;
                                     return file.ReadFrame(slice.frame).status();
                                   });
  EXPECT_TRUE(good.ok()) << good.message();
  EXPECT_EQ(visited, 20);
  const Status bad =
      ForEachSlice(*set, series, all, 3, [&](int64_t k, const DicomFile&, const DicomSlice&) {
        return k == 7 ? DataLoss("seven") : OkStatus();
      });
  EXPECT_EQ(bad.message(), "seven");
  const int64_t beyond[] = {20};
  EXPECT_FALSE(
      ForEachSlice(*set, series, beyond, 1, [](int64_t, const DicomFile&, const DicomSlice&) {
        return OkStatus();
      }).ok());
}

TEST_F(DicomSetTest, BoundsWhatAnArchiveUnpacksTo) {
  const std::string path = folder_ + "/bomb.zip";
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  ASSERT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  std::vector<uint8_t> big = Slice(0, 1);
  big.resize(8 << 20);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "../../../etc/passwd");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_size(entry, static_cast<la_int64_t>(big.size()));
  archive_write_header(writer, entry);
  archive_write_data(writer, big.data(), big.size());
  archive_entry_free(entry);
  archive_write_free(writer);
  EXPECT_LT(fs::file_size(path), size_t{1} << 20);
  DicomSetOptions options;
  options.max_archive_bytes = 1 << 20;
  EXPECT_EQ(ReadDicomSet(path, options).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(ReadDicomSet(path).ok());  // the name is a label, nothing is written under it
}

TEST(ReferencedFiles, RefusesNamesThatLeadElsewhere) {
  DicomWriter w;
  for (const char* name :
       {"IMAGES\\A1", "..\\..\\etc\\passwd", "\\etc\\passwd", "A\\..\\B", "a/b", "OK"}) {
    DicomWriter record;
    record.Text(dicom::kReferencedFileId, "CS", name);
    w.Item(static_cast<uint32_t>(record.bytes().size())).Append(record.bytes());
  }
  DicomWriter directory;
  directory.Header(dicom::kDirectoryRecords, "SQ", static_cast<uint32_t>(w.bytes().size()))
      .Append(w.bytes());
  const Result<dicom::DataSet> data_set =
      dicom::ParseDataSet(directory.bytes(), {true, false}, {}, nullptr);
  ASSERT_TRUE(data_set.ok()) << data_set.status().message();
  int64_t refused = 0;
  EXPECT_EQ(dicom::ReferencedFiles(*data_set, &refused),
            (std::vector<std::string>{"IMAGES/A1", "OK"}));
  EXPECT_EQ(refused, 4);
}

}  // namespace
}  // namespace galen
