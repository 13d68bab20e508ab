#include "train/atomic_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace galen {
namespace {

TEST(DirectoryLockTest, OneHolderAtATime) {
  const std::string path = testing::TempDir() + "directory_lock_test";
  ASSERT_TRUE(MakeDirectories(path).ok());
  {
    const auto first = DirectoryLock::Take(path);
    ASSERT_TRUE(first.ok()) << first.status().message();
    const auto second = DirectoryLock::Take(path);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().code(), StatusCode::kResourceExhausted);
    EXPECT_NE(second.status().message().find(path), std::string::npos);
  }
  EXPECT_TRUE(DirectoryLock::Take(path).ok());
  EXPECT_FALSE(DirectoryLock::Take(path + "/absent").ok());
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace galen
