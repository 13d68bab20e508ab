// Blocks that files and tensors should not hold, but do.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"

namespace galen {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class OddBlocksTest : public testing::TestWithParam<DType> {
 protected:
  const BlockFormat& format() const { return FormatOf(GetParam()); }

  std::vector<uint8_t> Encode(const std::vector<float>& values,
                              const std::vector<float>& importance = {}) const {
    std::vector<uint8_t> blocks(
        static_cast<size_t>(RowBytes(GetParam(), static_cast<int64_t>(values.size()))), 0xAA);
    format().encode(values.data(), importance.empty() ? nullptr : importance.data(), blocks.data(),
                    static_cast<int64_t>(values.size()) / format().block_elems);
    return blocks;
  }

  std::vector<float> Decode(const std::vector<uint8_t>& blocks) const {
    const int64_t num_blocks = static_cast<int64_t>(blocks.size()) / format().block_bytes;
    std::vector<float> values(static_cast<size_t>(num_blocks * format().block_elems));
    format().decode(blocks.data(), values.data(), num_blocks);
    return values;
  }

  std::vector<float> RoundTrip(const std::vector<float>& values,
                               const std::vector<float>& importance = {}) const {
    return Decode(Encode(values, importance));
  }

  static std::vector<float> Normal(int count, float sigma = 0.02f) {
    std::mt19937 bits(11);
    std::vector<float> values(static_cast<size_t>(count));
    // A sum of uniform numbers: the standard's distributions differ between libraries.
    for (float& v : values) {
      float sum = 0.0f;
      for (int k = 0; k < 12; ++k) sum += static_cast<float>(bits() % 4096) / 4096.0f - 0.5f;
      v = sigma * sum;
    }
    return values;
  }
};

bool AllFinite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

const std::vector<float> kOnes(256, 1.0f);

TEST_P(OddBlocksTest, ZerosStayZeros) {
  for (const float zero : {0.0f, -0.0f, 1e-40f, -1e-12f}) {
    for (const auto& importance : {std::vector<float>{}, kOnes}) {
      for (const float v : RoundTrip(std::vector<float>(256, zero), importance)) {
        ASSERT_EQ(v, 0.0f);
      }
    }
  }
}

TEST_P(OddBlocksTest, ConstantsKeepTheirValue) {
  // Large enough for normal f16 scales, that is for an error of 2^-11 from rounding each of them.
  for (const float constant : {1.0f, -1.0f, 0.373f, -0.373f, 300.0f, -300.0f}) {
    for (const auto& importance : {std::vector<float>{}, kOnes}) {
      for (const float v : RoundTrip(std::vector<float>(256, constant), importance)) {
        ASSERT_NEAR(v, constant, 1e-3f * std::fabs(constant)) << constant;
      }
    }
  }
}

TEST_P(OddBlocksTest, NanCountsAsZeroAndInfinityAsTheLargestInput) {
  std::vector<float> odd = Normal(256), tame = odd;
  odd[3] = kNan, tame[3] = 0.0f;
  odd[77] = -kNan, tame[77] = 0.0f;
  EXPECT_EQ(Encode(odd), Encode(tame));
  EXPECT_EQ(Encode(odd, kOnes), Encode(tame, kOnes));
  odd[130] = kInfinity, tame[130] = kLargestInput;
  odd[200] = -kInfinity, tame[200] = -kLargestInput;
  EXPECT_EQ(Encode(odd), Encode(tame));
  EXPECT_EQ(Encode(odd, kOnes), Encode(tame, kOnes));
  EXPECT_TRUE(AllFinite(RoundTrip(odd)));
  EXPECT_TRUE(AllFinite(RoundTrip(std::vector<float>(256, kNan))));
}

TEST_P(OddBlocksTest, HugeValuesSaturate) {
  for (const float huge : {1e6f, 1e9f, 3e38f, kInfinity}) {
    std::vector<float> values = Normal(256, 1.0f);
    for (size_t i = 0; i < values.size(); i += 8) values[i] = i % 16 == 0 ? huge : -huge;
    for (const auto& importance : {std::vector<float>{}, kOnes}) {
      const std::vector<float> decoded = RoundTrip(values, importance);
      ASSERT_TRUE(AllFinite(decoded));
      for (size_t i = 0; i < values.size(); i += 8) {
        // At least half of the largest f16 is reached, on the right side of zero.
        ASSERT_GE(decoded[i] * (i % 16 == 0 ? 1.0f : -1.0f), 32768.0f) << i << " " << huge;
      }
    }
  }
}

TEST_P(OddBlocksTest, SmallValuesUseSubnormalScales) {
  // Scales of this block lie between 2^-24 and 2^-16.
  const std::vector<float> values = Normal(256, 1e-3f);
  const std::vector<float> decoded = RoundTrip(values, kOnes);
  double error = 0.0, total = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += std::pow(values[i] - decoded[i], 2.0);
    total += std::pow(values[i], 2.0);
  }
  EXPECT_LT(error, 0.15 * total);
}

TEST_P(OddBlocksTest, AnyBitsEncodeToFiniteValues) {
  std::mt19937 bits(5);
  std::vector<float> values(256 * 8), importance(256 * 8);
  for (int round = 0; round < 20; ++round) {
    for (float& v : values) v = std::bit_cast<float>(static_cast<uint32_t>(bits()));
    for (float& v : importance) v = std::bit_cast<float>(static_cast<uint32_t>(bits()));
    ASSERT_TRUE(AllFinite(RoundTrip(values)));
    ASSERT_TRUE(AllFinite(RoundTrip(values, importance)));
  }
}

TEST_P(OddBlocksTest, AnyBytesDecode) {
  std::mt19937 bits(6);
  std::vector<uint8_t> blocks(static_cast<size_t>(format().block_bytes) * 64);
  for (int round = 0; round < 20; ++round) {
    for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(bits());
    const std::vector<float> values = Decode(blocks);
    ASSERT_EQ(values.size(), 64u * static_cast<size_t>(format().block_elems));
  }
}

TEST_P(OddBlocksTest, OddImportanceIsHarmless) {
  const std::vector<float> values = Normal(256);
  const std::vector<float> plain = RoundTrip(values, kOnes);
  for (const float weight : {0.0f, -1.0f, kNan, 1e-44f, 1e38f, kInfinity}) {
    // Equal weights, whatever they are, ask for the same as weights of 1.
    EXPECT_EQ(RoundTrip(values, std::vector<float>(256, weight)), plain) << weight;
  }
}

TEST_P(OddBlocksTest, ImportanceIsHeeded) {
  const std::vector<float> values = Normal(256);
  std::vector<float> importance(256, 1.0f);
  for (size_t i = 0; i < importance.size(); i += 3) importance[i] = 100.0f;
  const auto error = [&](const std::vector<float>& decoded) {
    double sum = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      sum += importance[i] * std::pow(values[i] - decoded[i], 2.0);
    }
    return sum;
  };
  EXPECT_LT(error(RoundTrip(values, importance)), error(RoundTrip(values)));
}

TEST_P(OddBlocksTest, OutliersOfNoImportanceAreCutOff) {
  std::vector<float> values = Normal(256);
  const auto error = [&](const std::vector<float>& decoded) {
    double sum = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i % 32 != 5) sum += std::pow(values[i] - decoded[i], 2.0);
    }
    return sum;
  };
  const double without = error(RoundTrip(values));
  std::vector<float> importance(256, 1.0f);
  for (size_t i = 5; i < values.size(); i += 32) {
    values[i] = i % 64 == 5 ? 3.0f : -3.0f;  // 150 standard deviations
    importance[i] = 0.0f;
  }
  EXPECT_LT(error(RoundTrip(values, importance)), 2.0 * without);
}

TEST_P(OddBlocksTest, NoBlocksTouchNothing) {
  format().decode(nullptr, nullptr, 0);
  format().encode(nullptr, nullptr, nullptr, 0);
}

TEST_P(OddBlocksTest, BlocksDoNotDependOnEachOther) {
  const std::vector<float> values = Normal(512), importance = Normal(512, 1.0f);
  const auto half = [](const std::vector<float>& v, int k) {
    return std::vector<float>(v.begin() + 256 * k, v.begin() + 256 * (k + 1));
  };
  for (const bool weighted : {false, true}) {
    const auto weights = [&](int k) {
      return weighted ? half(importance, k) : std::vector<float>{};
    };
    std::vector<uint8_t> joined = Encode(half(values, 0), weights(0));
    const std::vector<uint8_t> second = Encode(half(values, 1), weights(1));
    joined.insert(joined.end(), second.begin(), second.end());
    EXPECT_EQ(Encode(values, weighted ? importance : std::vector<float>{}), joined);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, OddBlocksTest,
                         testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                         DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                         DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                                         DType::kIQ4_XS),
                         [](const auto& info) { return std::string(FormatOf(info.param).name); });

}  // namespace
}  // namespace galen
