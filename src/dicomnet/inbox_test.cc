#include "dicomnet/inbox.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "dicomnet/file_head.h"
#include "media/dicom/dicom_file.h"
#include "media/dicom/test_images.h"

namespace galen::dicomnet {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr char kCt[] = "1.2.840.10008.5.1.4.1.1.2";
constexpr char kExplicit[] = "1.2.840.10008.1.2.1";

std::string Bytes(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// A data set of an image, as it comes over the network.
std::string DataSetOf(const std::string& study, const std::string& instance, uint8_t value = 0) {
  dicom::TestImage image;
  image.pixels[0] = value;
  image.extra.Text(dicom::kSopInstance, "UI", instance).Text(dicom::kStudyInstance, "UI", study);
  dicom::DicomWriter all = image.DataSetBytes();
  all.Append(image.extra.bytes()).Bytes(dicom::kPixelData, "OW", image.pixels);
  return Bytes(all.bytes());
}

class InboxTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "inbox_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options_.folder = folder_ + "/inbox";
  }
  void TearDown() override {
    inbox_.reset();
    fs::remove_all(folder_);
  }
  void Open() {
    inbox_.reset();
    Result<std::unique_ptr<Inbox>> opened = Inbox::Open(options_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    inbox_ = *std::move(opened);
  }
  Result<StoredInstance> Put(const std::string& study, const std::string& instance,
                             uint8_t value = 0, InstanceName expected = {}) {
    const auto incoming = inbox_->Begin();
    incoming->Write(FileHead(kCt, instance, kExplicit));
    incoming->Write(DataSetOf(study, instance, value));
    return incoming->Accept(expected, &why_);
  }
  int64_t Files() const {
    int64_t n = 0;
    for (const auto& entry : fs::recursive_directory_iterator(options_.folder))
      n += entry.is_regular_file() && entry.path().filename() != "lock" ? 1 : 0;
    return n;
  }

  std::string folder_;
  InboxOptions options_;
  std::unique_ptr<Inbox> inbox_;
  Refusal why_ = Refusal::kOutOfResources;
};

TEST_F(InboxTest, WhatWasAcceptedIsAFileThatIsRead) {
  Open();
  const auto stored = Put("1.2.3", "1.2.3.4");
  ASSERT_TRUE(stored.ok()) << stored.status().message();
  EXPECT_EQ(stored->name.study, "1.2.3");
  const auto study = inbox_->Find("1.2.3");
  ASSERT_TRUE(study.ok());
  ASSERT_EQ(study->files().size(), 1U);
  EXPECT_EQ(study->files()[0].sha256, stored->sha256);
  const auto file = DicomFile::Open(study->files()[0].path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->warnings().empty());
  EXPECT_EQ(file->frames(), 1);
  EXPECT_EQ(file->info().transfer_syntax, kExplicit);
  EXPECT_EQ(inbox_->Find("1.2.4").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(inbox_->Find("../1").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(InboxTest, TheSameAgainIsKnownAndAnotherIsRefused) {
  Open();
  ASSERT_TRUE(Put("1.2.3", "1.2.3.4").ok());
  const auto again = Put("1.2.3", "1.2.3.4");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->known);
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4", 9).ok());
  EXPECT_EQ(why_, Refusal::kDuplicate);
  EXPECT_EQ(inbox_->counts().instances, 1);
  EXPECT_EQ(Files(), 1);
  // Of an earlier process, too.
  Open();
  EXPECT_TRUE(Put("1.2.3", "1.2.3.4")->known);
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4", 9).ok());
}

TEST_F(InboxTest, LimitsRefuseAndKeepWhatIsThere) {
  const auto size = static_cast<int64_t>(DataSetOf("1.2.3", "1.2.3.1").size());
  options_.max_bytes = 2 * (size + 400);
  Open();
  ASSERT_TRUE(Put("1.2.3", "1.2.3.1").ok());
  ASSERT_TRUE(Put("1.2.3", "1.2.3.2").ok());
  EXPECT_FALSE(Put("1.2.3", "1.2.3.3").ok());
  EXPECT_EQ(why_, Refusal::kOutOfResources);
  EXPECT_EQ(Files(), 2);
  ASSERT_TRUE(inbox_->Remove("1.2.3"));
  EXPECT_TRUE(Put("1.2.3", "1.2.3.3").ok()) << "what was reserved for the refused one is free";
  options_.max_instance_bytes = size / 2;
  Open();
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4").ok());
  EXPECT_EQ(why_, Refusal::kOutOfResources);
  options_.max_instance_bytes = 1 << 20;
  options_.max_instances = 1;
  Open();
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4").ok());
  EXPECT_EQ(inbox_->counts().instances, 1);
}

TEST_F(InboxTest, WhatIsNoInstanceIsRefused) {
  Open();
  const auto incoming = inbox_->Begin();
  incoming->Write("this is no DICOM file");
  EXPECT_FALSE(incoming->Accept({}, &why_).ok());
  EXPECT_EQ(why_, Refusal::kCannotUnderstand);
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4", 0, {kCt, "1.2.3.5", ""}).ok());
  EXPECT_EQ(why_, Refusal::kDoesNotMatch);
  EXPECT_FALSE(Put("1.2.3", "1.2.3.4", 0, {kCt, "1.2.3.4", "1.2.9"}).ok());
  EXPECT_FALSE(Put("../../../evil", "1.2.3.4").ok());
  EXPECT_FALSE(Put("1..2", "1.2.3.4").ok());
  const auto video = inbox_->Begin();
  video->Write(FileHead(kCt, "1.2.3.6", "1.2.840.10008.1.2.4.102"));
  video->Write(DataSetOf("1.2.3", "1.2.3.6"));
  EXPECT_FALSE(video->Accept({}, &why_).ok());
  EXPECT_EQ(why_, Refusal::kOtherSyntax);
  EXPECT_EQ(video->name().instance, "1.2.3.6");
  const auto other = inbox_->Begin();
  other->Write(FileHead(kCt, "1.2.3.6", "1.2.840.10008.1.2.4.102"));
  other->Write(DataSetOf("1.2.3", "1.2.3.6"));
  EXPECT_FALSE(other->Accept({"", "", "1.2.9"}, &why_).ok());
  EXPECT_EQ(why_, Refusal::kDoesNotMatch);
  const auto unknown = inbox_->Begin();
  unknown->Write(FileHead(kCt, "1.2.3.6", "1.2.3.4.5"));
  unknown->Write(DataSetOf("1.2.3", "1.2.3.6"));
  EXPECT_FALSE(unknown->Accept({}, &why_).ok());
  EXPECT_EQ(why_, Refusal::kOtherSyntax);
  EXPECT_EQ(unknown->name().instance, "");
  const auto cut = inbox_->Begin();
  const std::string whole = DataSetOf("1.2.3", "1.2.3.7");
  cut->Write(FileHead(kCt, "1.2.3.7", kExplicit));
  cut->Write(whole.substr(0, whole.size() - 4));
  EXPECT_FALSE(cut->Accept({}, &why_).ok());
  EXPECT_EQ(inbox_->counts().instances, 0);
}

TEST_F(InboxTest, HalfFilesGoAndOneProcessHasTheFolder) {
  Open();
  {
    const auto incoming = inbox_->Begin();
    incoming->Write("half");
    EXPECT_EQ(Files(), 1);
    EXPECT_FALSE(Inbox::Open(options_).ok());
  }
  EXPECT_EQ(Files(), 0);
  ASSERT_TRUE(Put("1.2.3", "1.2.3.4").ok());
  inbox_.reset();
  std::ofstream(options_.folder + "/incoming/77.part") << "of a process that was killed";
  Open();
  EXPECT_EQ(Files(), 1);
  EXPECT_EQ(inbox_->counts().instances, 1);
}

TEST_F(InboxTest, StudiesGoAfterTheirTimeUnlessTheyAreRead) {
  options_.keep = 1s;
  Open();
  ASSERT_TRUE(Put("1.2.3", "1.2.3.4").ok());
  {
    const auto study = inbox_->Find("1.2.3");
    ASSERT_TRUE(study.ok());
    std::this_thread::sleep_for(1600ms);
    EXPECT_TRUE(fs::exists(study->files()[0].path)) << "it is being read";
    EXPECT_FALSE(inbox_->Remove("1.2.3"));
  }
  for (int i = 0; i < 100 && inbox_->counts().instances > 0; ++i) std::this_thread::sleep_for(50ms);
  EXPECT_EQ(inbox_->counts().bytes, 0);
  EXPECT_EQ(Files(), 0);
}

}  // namespace
}  // namespace galen::dicomnet
