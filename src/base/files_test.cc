#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/child.h"

namespace galen {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode : 0;
}

TEST(WriteFileAtomically, ReplacesFilesAndKeepsTheirMode) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  ASSERT_TRUE(WriteFileAtomically(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(ModeOf(path) & 07777, 0600u);
}

TEST(WriteFileAtomically, FollowsLinks) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/a", link = folder->path() + "/link";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_EQ(::symlink("a", link.c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(link, "two").ok());
  EXPECT_TRUE(S_ISLNK(ModeOf(link)));
  EXPECT_EQ(*ReadFile(path), "two");
}

TEST(WriteFileAtomically, APipeStaysAPipe) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] {
    const auto bytes = ReadFile(path);
    if (bytes.ok()) read = *bytes;
  });
  EXPECT_TRUE(WriteFileAtomically(path, "through").ok());
  reader.join();
  EXPECT_EQ(read, "through");
  EXPECT_TRUE(S_ISFIFO(ModeOf(path)));
}

TEST(WriteFileAtomically, NoFolderLeavesNothing) {
  EXPECT_EQ(WriteFileAtomically("/nowhere/at/all", "x").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace galen
