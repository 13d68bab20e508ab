// The codecs against the reference implementations (tests/parity/blocks/make_golden.py).
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "tensor/dtype.h"

namespace galen {
namespace {

constexpr int64_t kCols = 1024;  // of the rows in encode/values

class GoldenTest : public testing::TestWithParam<DType> {
 protected:
  static void SetUpTestSuite() {
    const std::string path = std::string(GALEN_SOURCE_DIR) + "/tests/parity/blocks/golden.bin";
    Result<std::string> file = ReadFile(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    const std::string& bytes = file.value();
    ASSERT_EQ(bytes.substr(0, 8), "GALENGB1");
    for (size_t at = 8; at < bytes.size();) {
      uint32_t name_size = 0;
      uint64_t size = 0;
      ASSERT_LE(at + 4, bytes.size());
      std::memcpy(&name_size, bytes.data() + at, 4);
      ASSERT_LE(at + 4 + name_size + 8, bytes.size());
      std::memcpy(&size, bytes.data() + at + 4 + name_size, 8);
      const size_t data = at + 4 + name_size + 8;
      ASSERT_LE(size, bytes.size() - data);
      sections_[bytes.substr(at + 4, name_size)] = bytes.substr(data, size);
      at = data + size;
    }
  }

  static bool Has(const std::string& name) { return sections_.contains(name); }

  template <typename T>
  static std::vector<T> Section(const std::string& name) {
    EXPECT_TRUE(Has(name)) << name;
    const std::string& bytes = sections_[name];
    EXPECT_GT(bytes.size(), 0u) << name;
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }

  const BlockFormat& format() const { return FormatOf(GetParam()); }

  // Section of this format.
  template <typename T>
  std::vector<T> Mine(const std::string& group, const std::string& what) const {
    return Section<T>(group + "/" + format().name + "/" + what);
  }

 private:
  static inline std::map<std::string, std::string> sections_;
};

bool SameBitsOrNan(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

TEST_P(GoldenTest, DecodesToTheSameBits) {
  const std::vector<uint8_t> blocks = Mine<uint8_t>("decode", "bytes");
  const std::vector<float> expected = Mine<float>("decode", "values");
  const int64_t num_blocks = static_cast<int64_t>(blocks.size()) / format().block_bytes;
  ASSERT_EQ(num_blocks * format().block_elems, static_cast<int64_t>(expected.size()));
  std::vector<float> values(expected.size());
  format().decode(blocks.data(), values.data(), num_blocks);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(SameBitsOrNan(values[i], expected[i]))
        << format().name << " value " << i << ": " << values[i] << " but gguf has " << expected[i];
  }
}

TEST_P(GoldenTest, DecodesAtOddAddresses) {
  const std::vector<uint8_t> blocks = Mine<uint8_t>("decode", "bytes");
  const std::vector<float> expected = Mine<float>("decode", "values");
  std::vector<uint8_t> shifted(blocks.size() + 1);
  std::copy(blocks.begin(), blocks.end(), shifted.begin() + 1);
  std::vector<float> values(expected.size());
  format().decode(shifted.data() + 1, values.data(),
                  static_cast<int64_t>(blocks.size()) / format().block_bytes);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(SameBitsOrNan(values[i], expected[i])) << i;
  }
}

TEST_P(GoldenTest, EncodesToTheSameBytes) {
  if (!Has(std::string("encode/") + format().name + "/bytes")) {
    GTEST_SKIP() << "gguf does not encode " << format().name;
  }
  const std::vector<float> values = Section<float>("encode/values");
  const std::vector<uint8_t> expected = Mine<uint8_t>("encode", "bytes");
  std::vector<uint8_t> blocks(expected.size());
  format().encode(values.data(), nullptr, blocks.data(),
                  static_cast<int64_t>(values.size()) / format().block_elems);
  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(blocks[i], expected[i]) << format().name << " block " << i / format().block_bytes;
  }
}

double WeightedRms(const float* a, const float* b, const float* weights, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double error = static_cast<double>(a[i]) - b[i];
    sum += (weights != nullptr ? weights[i] : 1.0) * error * error;
  }
  return std::sqrt(sum / static_cast<double>(count));
}

// At least as accurate as ggml_quantize_chunk, by the plain and by the weighted error, on each
// distribution of values.
TEST_P(GoldenTest, EncodesAtLeastAsAccurately) {
  if (format().block_elems == 1) GTEST_SKIP() << "a plain type";
  const std::vector<float> values = Section<float>("encode/values");
  const std::vector<float> importance = Section<float>("encode/importance");
  const std::vector<double> reference = Mine<double>("encode", "errors");
  const int64_t num_rows = static_cast<int64_t>(values.size()) / kCols;
  ASSERT_EQ(static_cast<int64_t>(reference.size()), 2 * num_rows);
  std::vector<uint8_t> blocks(static_cast<size_t>(RowBytes(GetParam(), kCols)));
  std::vector<float> decoded(kCols);
  for (int64_t row = 0; row < num_rows; ++row) {
    const float* x = values.data() + row * kCols;
    for (const bool weighted : {false, true}) {
      const float* weights = weighted ? importance.data() + row * kCols : nullptr;
      const int64_t num_blocks = kCols / format().block_elems;
      format().encode(x, weights, blocks.data(), num_blocks);
      format().decode(blocks.data(), decoded.data(), num_blocks);
      const double error = WeightedRms(x, decoded.data(), weights, kCols);
      // A double sum of the same numbers may differ in its last bits where the bytes are equal.
      EXPECT_LE(error, reference[static_cast<size_t>(row + (weighted ? num_rows : 0))] * (1 + 1e-9))
          << format().name << " row " << row << (weighted ? " weighted" : " plain");
    }
  }
}

TEST_P(GoldenTest, ScalarsRoundLikeTheReference) {
  const bool f16 = GetParam() == DType::kF16;
  if (!f16 && GetParam() != DType::kBF16) GTEST_SKIP() << "not a 16-bit type";
  const std::vector<float> values = Section<float>("half/values");
  const std::vector<uint16_t> expected = Section<uint16_t>(f16 ? "half/f16" : "half/bf16");
  ASSERT_EQ(values.size(), expected.size());
  std::vector<uint16_t> encoded(values.size());
  format().encode(values.data(), nullptr, reinterpret_cast<uint8_t*>(encoded.data()),
                  static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(encoded[i], expected[i]) << values[i];
}

INSTANTIATE_TEST_SUITE_P(Formats, GoldenTest,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0,
                                         DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                         DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
                                         DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS),
                         [](const auto& info) { return std::string(FormatOf(info.param).name); });

}  // namespace
}  // namespace galen
