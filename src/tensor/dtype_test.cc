#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "tensor/formats/scale_min6.h"

namespace galen {
namespace {

TEST(DTypeTest, TableIsConsistent) {
  std::set<std::string> names;
  std::set<int> ids;
  for (int i = 0; i < kNumDTypes; ++i) {
    const BlockFormat& format = FormatOf(static_cast<DType>(i));
    EXPECT_EQ(static_cast<int>(format.dtype), i);
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    EXPECT_GT(format.block_elems, 0);
    EXPECT_GT(format.block_bytes, 0);
    EXPECT_EQ(format.decode == nullptr, format.encode == nullptr) << format.name;
    ASSERT_EQ(DTypeFromName(format.name).value(), format.dtype);
    if (format.gguf_type < 0) continue;
    EXPECT_TRUE(ids.insert(format.gguf_type).second) << format.name;
    ASSERT_EQ(DTypeFromGguf(static_cast<uint32_t>(format.gguf_type)).value(), format.dtype);
  }
}

TEST(DTypeTest, SizesAreThoseOfGguf) {
  const auto expect = [](DType dtype, int gguf, int elems, int bytes) {
    const BlockFormat& format = FormatOf(dtype);
    EXPECT_EQ(format.gguf_type, gguf) << format.name;
    EXPECT_EQ(format.block_elems, elems) << format.name;
    EXPECT_EQ(format.block_bytes, bytes) << format.name;
  };
  expect(DType::kF32, 0, 1, 4);
  expect(DType::kF16, 1, 1, 2);
  expect(DType::kBF16, 30, 1, 2);
  expect(DType::kQ4_0, 2, 32, 18);
  expect(DType::kQ4_1, 3, 32, 20);
  expect(DType::kQ5_0, 6, 32, 22);
  expect(DType::kQ5_1, 7, 32, 24);
  expect(DType::kQ8_0, 8, 32, 34);
  expect(DType::kQ2_K, 10, 256, 84);
  expect(DType::kQ3_K, 11, 256, 110);
  expect(DType::kQ4_K, 12, 256, 144);
  expect(DType::kQ5_K, 13, 256, 176);
  expect(DType::kQ6_K, 14, 256, 210);
  expect(DType::kIQ4_NL, 20, 32, 18);
  expect(DType::kIQ4_XS, 23, 256, 136);
  expect(DType::kNF4, -1, 64, 36);
  expect(DType::kFP4, -1, 64, 36);
  expect(DType::kINT8, -1, 16, 20);
  expect(DType::kI8, 24, 1, 1);
  expect(DType::kI64, 27, 1, 8);
  expect(DType::kF64, 28, 1, 8);
}

TEST(DTypeTest, UnknownTypesAreNamed) {
  EXPECT_EQ(DTypeFromName("Q4_K").value(), DType::kQ4_K);
  const Result<DType> name = DTypeFromName("q9_9");
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(name.status().message().find("q9_9"), std::string::npos);
  EXPECT_NE(name.status().message().find("q4_k"), std::string::npos);
  EXPECT_FALSE(DTypeFromName("").ok());

  const Result<DType> foreign = DTypeFromGguf(39);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(foreign.status().message().find("39 (MXFP4)"), std::string::npos);
  for (const uint32_t type : {4u, 5u, 9u, 255u, 0xffffffffu})
    EXPECT_FALSE(DTypeFromGguf(type).ok());
}

TEST(DTypeTest, RowBytes) {
  EXPECT_EQ(RowBytes(DType::kF32, 7), 28);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 0), 0);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 64), 36);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 2560), 2100);
  EXPECT_THROW(RowBytes(DType::kQ4_K, 128), InternalError);
  EXPECT_THROW(RowBytes(DType::kF32, -4), InternalError);
  EXPECT_THROW(RowBytes(DType::kF64, std::numeric_limits<int64_t>::max()), InternalError);
}

TEST(HalfTest, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if ((half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_EQ(FloatToHalf(value), half | 0x200) << "NaN keeps sign and payload, made quiet";
      continue;
    }
    const int exponent = (half >> 10) & 31;
    const double magnitude = exponent == 31  ? std::numeric_limits<double>::infinity()
                             : exponent == 0 ? std::ldexp(half & 0x3ff, -24)
                                             : std::ldexp(1024 + (half & 0x3ff), exponent - 25);
    ASSERT_EQ(value, half & 0x8000 ? -magnitude : magnitude) << bits;
    ASSERT_EQ(FloatToHalf(value), half) << bits;
  }
}

// Between each pair of neighbours: below the middle goes down, above goes up, the middle to even.
TEST(HalfTest, RoundsToNearestEven) {
  for (uint16_t half = 0; half < 0x7c00; ++half) {
    const float low = HalfToFloat(half);
    const uint16_t next = static_cast<uint16_t>(half + 1);
    const float high = next == 0x7c00 ? 65536.0f : HalfToFloat(next);
    const float middle = 0.5f * (low + high);  // exact in fp32
    const uint16_t even = half % 2 == 0 ? half : next;
    ASSERT_EQ(FloatToHalf(middle), even) << half;
    ASSERT_EQ(FloatToHalf(std::nextafterf(middle, 0.0f)), half) << half;
    ASSERT_EQ(FloatToHalf(std::nextafterf(middle, 1e9f)), next) << half;
    ASSERT_EQ(FloatToHalf(-middle), even | 0x8000) << half;
  }
}

TEST(Bf16Test, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const uint32_t low = bits << 16;
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(low)), bits);
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(low | 0x7fff)), bits);
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(low | 0x8000)), bits + bits % 2);
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>(low | 0x8001)), bits + 1);
  }
  EXPECT_EQ(FloatToBf16(std::numeric_limits<float>::infinity()), 0x7f80);
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0) << "NaN stays NaN";
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0xffffffffu)), 0xffff);
}

TEST(ScaleMin6Test, PacksEveryValueInEveryPlace) {
  for (int place = 0; place < 16; ++place) {
    for (int value = 0; value < 64; ++value) {
      for (const uint8_t rest : {0, 63}) {
        ScaleMin6 pairs[8];
        for (ScaleMin6& pair : pairs) pair = {rest, rest};
        (place % 2 == 0 ? pairs[place / 2].scale : pairs[place / 2].min) =
            static_cast<uint8_t>(value);
        uint8_t packed[12];
        PackScaleMin6(pairs, packed);
        for (int g = 0; g < 8; ++g) {
          const ScaleMin6 unpacked = UnpackScaleMin6(packed, g);
          ASSERT_EQ(unpacked.scale, pairs[g].scale);
          ASSERT_EQ(unpacked.min, pairs[g].min);
        }
      }
    }
  }
}

}  // namespace
}  // namespace galen
