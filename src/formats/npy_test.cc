#include "formats/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "base/files.h"

namespace galen {
namespace {

TEST(Npy, HeaderAndValues) {
  const std::string path = testing::TempDir() + "/npy_test_" + std::to_string(::getpid()) + ".npy";
  const std::vector<float> values = {1.5f, -2.0f, 3.25f, 0.0f, 1e-9f, 6.0f};
  ASSERT_TRUE(WriteNpy(path, values, 2, 3).ok());
  const auto bytes = ReadFile(path);
  ASSERT_TRUE(bytes.ok());
  // numpy.lib.format: the header dictionary is padded so that the data begins at a multiple of 64.
  ASSERT_EQ(bytes->size(), 128 + values.size() * sizeof(float));
  EXPECT_EQ(bytes->substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>((*bytes)[8]) + 256 * static_cast<unsigned char>((*bytes)[9]),
            118);
  EXPECT_TRUE(
      bytes->substr(10).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  EXPECT_EQ((*bytes)[127], '\n');
  EXPECT_EQ(std::memcmp(bytes->data() + 128, values.data(), values.size() * sizeof(float)), 0);
  EXPECT_TRUE(WriteNpy(path, {}, 0, 3).ok());
  std::filesystem::remove(path);
  EXPECT_FALSE(WriteNpy("/nonexistent/x.npy", values, 2, 3).ok());
}

}  // namespace
}  // namespace galen
