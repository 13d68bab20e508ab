#include "formats/quantization_level.h"

#include <gtest/gtest.h>

#include "formats/test_files.h"

namespace galen {
namespace {

// A table of f16 and a matrix of GGUF's `type`, much smaller; file_type < 0: the file says nothing.
std::string LevelOf(uint32_t type, uint64_t rows, int64_t file_type) {
  Bytes b;
  b.GgufHeader(2, file_type < 0 ? 1 : 2);
  b.Key("general.architecture", GgufType::kString).Str("llama");
  if (file_type >= 0)
    b.Key("general.file_type", GgufType::kU32).Put(static_cast<uint32_t>(file_type));
  b.TensorEntry("token_embd.weight", {32, 16}, 1, 0)
      .TensorEntry("blk.0.attn_q.weight", {32, rows}, type, 1024)
      .Pad(32, 1024 + 64 * rows * 2);
  const std::string file = b.string();
  const auto checkpoint =
      CheckpointFromBytes({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "m.gguf");
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  return checkpoint.ok() ? QuantizationLevel(**checkpoint) : "";
}

TEST(QuantizationLevel, WhatTheFileSaysHolds) {
  EXPECT_EQ(LevelOf(8, 4, 15), "Q4_K_M");
  EXPECT_EQ(LevelOf(8, 4, 7), "Q8_0");
  EXPECT_EQ(LevelOf(1, 4, 32), "BF16");
}

TEST(QuantizationLevel, ElseTheTypeOfTheMatrices) {
  EXPECT_EQ(LevelOf(2, 4, -1), "Q4_0");    // though the table has more weights
  EXPECT_EQ(LevelOf(8, 4, 4711), "Q8_0");  // a number that nobody has given out
  EXPECT_EQ(LevelOf(30, 4, -1), "F16");    // nothing is in blocks: what there is most of
  EXPECT_EQ(LevelOf(30, 64, -1), "BF16");
}

TEST(QuantizationLevel, NoTensorsNoLevel) {
  Bytes b;
  b.GgufHeader(0, 1).Key("general.architecture", GgufType::kString).Str("llama").Pad(32, 0);
  const std::string file = b.string();
  const auto checkpoint =
      CheckpointFromBytes({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "m.gguf");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(QuantizationLevel(**checkpoint), "unknown");
}

}  // namespace
}  // namespace galen
