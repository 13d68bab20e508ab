// What the writers lay out, read again by the readers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"

namespace galen {
namespace {

std::span<const uint8_t> Span(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(SafetensorsWriter, IsReadAgain) {
  std::vector<SafetensorsEntry> entries = {{"b", DType::kF32, {2, 3}},
                                           {"a \"quoted\"", DType::kU8, {5, 1}},
                                           {"scalar", DType::kI64, {}},
                                           {"none", DType::kBF16, {0, 4}}};
  const Result<SafetensorsLayout> layout = LayOutSafetensors(&entries);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout->header.size() % 8, 0u);
  EXPECT_EQ(entries[0].offset, static_cast<int64_t>(layout->header.size()));
  EXPECT_EQ(layout->file_bytes, static_cast<int64_t>(layout->header.size()) + 24 + 5 + 8);
  std::string file = layout->header;
  file.resize(static_cast<size_t>(layout->file_bytes));
  file[static_cast<size_t>(entries[1].offset)] = 'x';
  const auto opened = CheckpointFromBytes(Span(file), "f.safetensors");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  ASSERT_EQ((*opened)->tensors().size(), 4u);
  const TensorInfo* a = *(*opened)->Find("a \"quoted\"");
  EXPECT_EQ(a->shape, (std::vector<int64_t>{5, 1}));
  EXPECT_EQ(a->bytes[0], 'x');
  EXPECT_EQ((*(*opened)->Find("none"))->shape, (std::vector<int64_t>{0, 4}));
}

TEST(SafetensorsWriter, ANameTwiceIsRefused) {
  std::vector<SafetensorsEntry> entries = {{"a", DType::kU8, {1}}, {"a", DType::kU8, {1}}};
  EXPECT_FALSE(LayOutSafetensors(&entries).ok());
}

TEST(GgufWriter, IsReadAgain) {
  GgufWriter writer;
  writer.Set("general.architecture", "llama");
  writer.Set("n", uint32_t{7});
  writer.Set("x", 0.25f);
  writer.Set("yes", true);
  writer.Set("n", uint32_t{8});  // keeps its place
  const std::vector<std::string> texts = {"", "\xe2\x96\x81the", "a b"};
  writer.Set("texts", std::span<const std::string>(texts));
  const std::vector<float> floats = {1.5f, -2.0f};
  writer.Set("floats", std::span<const float>(floats));
  const std::vector<int32_t> ints = {-1, 3};
  writer.Set("ints", std::span<const int32_t>(ints));
  writer.AddTensor("q", DType::kQ4_0, {3, 64});
  writer.AddTensor("v", DType::kF32, {5});
  const GgufWriter::Layout layout = writer.Finish();
  ASSERT_EQ(layout.offsets.size(), 2u);
  EXPECT_EQ(layout.offsets[0] % 32, 0);
  EXPECT_EQ(layout.offsets[1] - layout.offsets[0], 128);  // 108, aligned
  std::string file = layout.header;
  file.resize(static_cast<size_t>(layout.file_bytes), '\x11');
  const auto opened = CheckpointFromBytes(Span(file), "f.gguf");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const GgufFile& gguf = *(*opened)->gguf();
  EXPECT_EQ(gguf.version(), 3u);
  EXPECT_EQ(gguf.metadata()[1].key, "n");
  EXPECT_EQ(*gguf.GetInt("n"), 8);
  EXPECT_EQ(*gguf.GetDouble("x"), 0.25);
  EXPECT_TRUE(*gguf.GetBool("yes"));
  const std::vector<std::string_view> read = *gguf.GetStrings("texts");
  EXPECT_EQ(std::vector<std::string>(read.begin(), read.end()), texts);
  EXPECT_EQ(*gguf.GetFloats("floats"), floats);
  EXPECT_EQ(*gguf.GetInts("ints"), (std::vector<int64_t>{-1, 3}));
  EXPECT_EQ((*(*opened)->Find("q"))->dtype, DType::kQ4_0);
  EXPECT_EQ((*(*opened)->Find("q"))->shape, (std::vector<int64_t>{3, 64}));

  // A copy of every entry is the same file.
  GgufWriter copy;
  for (const GgufEntry& entry : gguf.metadata()) copy.Copy(entry);
  copy.AddTensor("q", DType::kQ4_0, {3, 64});
  copy.AddTensor("v", DType::kF32, {5});
  EXPECT_EQ(copy.Finish().header, layout.header);
}

}  // namespace
}  // namespace galen
