#include "base/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "output_file";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  int64_t Files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  static std::span<const uint8_t> Bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, AppearsWholeAndInAnyOrder) {
  {
    Result<OutputFile> file = OutputFile::Create(Path("a"), 6);
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_TRUE(file->WriteAt(3, Bytes("def")).ok());
    EXPECT_FALSE(FileExists(Path("a")));
    OutputFile moved = std::move(*file);
    ASSERT_TRUE(moved.WriteAt(0, Bytes("abc")).ok());
    ASSERT_TRUE(moved.SetSize(8).ok());
    ASSERT_TRUE(moved.Commit().ok());
  }
  EXPECT_EQ(*ReadFile(Path("a")), std::string("abcdef\0\0", 8));
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, NothingIsLeftWithoutCommit) {
  std::ofstream(Path("a")) << "old";
  {
    Result<OutputFile> file = OutputFile::Create(Path("a"), 6);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->WriteAt(0, Bytes("new")).ok());
    EXPECT_EQ(Files(), 2);
  }
  EXPECT_EQ(*ReadFile(Path("a")), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, NoRoomIsSaidBeforeTheWork) {
  const Result<OutputFile> file = OutputFile::Create(Path("a"), int64_t{1} << 60);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kResourceExhausted) << file.status().message();
  EXPECT_NE(file.status().message().find("make room"), std::string::npos);
  EXPECT_EQ(Files(), 0);
  EXPECT_EQ(OutputFile::Create(Path("none/a"), 1).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace galen
