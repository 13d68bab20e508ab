#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "formats/test_files.h"

namespace galen {
namespace {

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ4_0 = 2;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

Result<GgufFile> Parse(const Bytes& bytes) { return GgufFile::Parse(bytes.span(), "m.gguf"); }

void ExpectBad(const Bytes& bytes, std::initializer_list<std::string_view> parts,
               StatusCode code = StatusCode::kDataLoss) {
  Result<GgufFile> file = Parse(bytes);
  ASSERT_FALSE(file.ok());
  ExpectError(file.status(), code, {"m.gguf: "});
  ExpectError(file.status(), code, parts);
}

// A file with one tensor "w" and the given entry; its data section has 64 bytes.
Bytes OneTensor(const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset,
                size_t data = 64) {
  Bytes b;
  b.GgufHeader(1, 0).TensorEntry("w", dims, type, offset).Pad(32, data);
  return b;
}

Bytes Good() {
  Bytes b;
  b.GgufHeader(2, 14);
  b.Key("a.u8", GgufType::kU8).Put<uint8_t>(200);
  b.Key("a.i8", GgufType::kI8).Put<int8_t>(-3);
  b.Key("a.u16", GgufType::kU16).Put<uint16_t>(60000);
  b.Key("a.i16", GgufType::kI16).Put<int16_t>(-300);
  b.Key("a.u32", GgufType::kU32).Put<uint32_t>(4000000000u);
  b.Key("a.i32", GgufType::kI32).Put<int32_t>(-70000);
  b.Key("a.u64", GgufType::kU64).Put<uint64_t>(kHuge);
  b.Key("a.i64", GgufType::kI64).Put<int64_t>(-5000000000);
  b.Key("a.f32", GgufType::kF32).Put<float>(0.5f);
  b.Key("a.f64", GgufType::kF64).Put<double>(-2.25);
  b.Key("a.bool", GgufType::kBool).Put<uint8_t>(1);
  b.Key("a.string", GgufType::kString).Str("caf\xc3\xa9");
  b.ArrayKey("a.strings", GgufType::kString, 3).Str("x").Str("").Str("yz");
  b.ArrayKey("a.lists", GgufType::kArray, 2);
  b.Put(static_cast<uint32_t>(GgufType::kI16)).Put<uint64_t>(2).Put<int16_t>(-1).Put<int16_t>(7);
  b.Put(static_cast<uint32_t>(GgufType::kU8)).Put<uint64_t>(0);
  b.TensorEntry("second", {32, 2}, kQ4_0, 32).TensorEntry("first", {3}, kF32, 0).Pad(32);
  b.Put(1.0f).Put(2.0f).Put(3.0f).Pad(32).Raw(std::string(36, 'q'));
  return b;
}

TEST(Gguf, ReadsEveryType) {
  const Bytes bytes = Good();
  const Result<GgufFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(file->metadata().size(), 14u);
  EXPECT_EQ(file->GetInt("a.u8").value(), 200);
  EXPECT_EQ(file->GetInt("a.i8").value(), -3);
  EXPECT_EQ(file->GetInt("a.u16").value(), 60000);
  EXPECT_EQ(file->GetInt("a.i16").value(), -300);
  EXPECT_EQ(file->GetInt("a.u32").value(), 4000000000);
  EXPECT_EQ(file->GetInt("a.i32").value(), -70000);
  EXPECT_EQ(file->GetInt("a.i64").value(), -5000000000);
  EXPECT_EQ(file->GetDouble("a.f32").value(), 0.5);
  EXPECT_EQ(file->GetDouble("a.f64").value(), -2.25);
  EXPECT_EQ(file->GetDouble("a.i32").value(), -70000.0);
  EXPECT_TRUE(file->GetBool("a.bool").value());
  EXPECT_EQ(file->GetString("a.string").value(), "caf\xc3\xa9");
  EXPECT_EQ(file->GetStrings("a.strings").value(), (std::vector<std::string_view>{"x", "", "yz"}));
  EXPECT_EQ(file->GetIntLists("a.lists").value(), (std::vector<std::vector<int64_t>>{{-1, 7}, {}}));
  ExpectError(file->GetInt("a.u64").status(), StatusCode::kDataLoss, {"a.u64", "below 2^63"});
}

TEST(Gguf, TensorsHaveRowMajorShapesAndTheirBytes) {
  const Bytes bytes = Good();
  const Result<GgufFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->tensors().size(), 2u);
  const TensorInfo& second = file->tensors()[0];  // in file order
  EXPECT_EQ(second.name, "second");
  EXPECT_EQ(second.shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(second.dtype, DType::kQ4_0);
  EXPECT_EQ(second.bytes.size(), 36u);
  EXPECT_EQ(second.bytes[0], 'q');
  EXPECT_EQ(second.bytes.data() + second.bytes.size(), bytes.span().data() + bytes.size());
  const TensorInfo& first = file->tensors()[1];
  float values[3];
  ASSERT_EQ(first.bytes.size(), sizeof(values));
  std::memcpy(values, first.bytes.data(), sizeof(values));
  EXPECT_EQ(values[2], 3.0f);
  EXPECT_EQ(file->data_offset() % 32, 0u);
}

TEST(Gguf, GettersNameKeyExpectedAndFound) {
  const Bytes bytes = Good();
  const Result<GgufFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok());
  ExpectError(file->GetInt("llama.block_count").status(), StatusCode::kNotFound,
              {"m.gguf", "\"llama.block_count\" is missing", "integer"});
  ExpectError(file->GetInt("a.string").status(), StatusCode::kDataLoss,
              {"\"a.string\"", "expected an integer", "found string"});
  ExpectError(file->GetInt("a.f32").status(), StatusCode::kDataLoss,
              {"expected an integer", "found f32"});
  ExpectError(file->GetString("a.u8").status(), StatusCode::kDataLoss,
              {"expected a string", "found u8"});
  ExpectError(file->GetBool("a.u8").status(), StatusCode::kDataLoss,
              {"expected a bool", "found u8"});
  ExpectError(file->GetDouble("a.bool").status(), StatusCode::kDataLoss,
              {"expected a number", "found bool"});
  ExpectError(file->GetStrings("a.lists").status(), StatusCode::kDataLoss,
              {"expected an array of strings", "found an array of 2 array"});
  ExpectError(file->GetInts("a.strings").status(), StatusCode::kDataLoss,
              {"expected an array of integers", "found an array of 3 string"});
  ExpectError(file->GetFloats("a.string").status(), StatusCode::kDataLoss,
              {"expected an array of floats", "found string"});
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string whole = Good().string();
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto* p = reinterpret_cast<const uint8_t*>(whole.data());
    // A heap block of the exact size, so that a sanitizer sees a read behind it.
    const std::vector<uint8_t> cut(p, p + size);
    const Result<GgufFile> file = GgufFile::Parse(cut, "m.gguf");
    ASSERT_FALSE(file.ok()) << size;
    EXPECT_EQ(file.status().code(), StatusCode::kDataLoss);
    EXPECT_NE(file.status().message().find("truncated"), std::string::npos)
        << size << ": " << file.status().message();
  }
}

TEST(Gguf, WrongMagicOrVersion) {
  ExpectBad(Bytes().Raw("PK\x03\x04 and more"),
            {"not a GGUF file", "expected the magic \"GGUF\"", "PK\\x03\\x04"});
  ExpectBad(Bytes().Raw("tjgg").Put<uint32_t>(3), {"before GGUF", "convert"},
            StatusCode::kUnsupported);
  ExpectBad(Bytes().GgufHeader(0, 0, 1), {"version 1", "expected version 2 or 3"},
            StatusCode::kUnsupported);
  ExpectBad(Bytes().GgufHeader(0, 0, 4), {"version 4"}, StatusCode::kUnsupported);
  ExpectBad(Bytes().GgufHeader(0, 0, 0x03000000), {"big-endian"}, StatusCode::kUnsupported);
  EXPECT_TRUE(Parse(Bytes().GgufHeader(0, 0, 2)).ok());
  EXPECT_TRUE(Parse(Bytes().GgufHeader(0, 0, 3)).ok());
}

TEST(Gguf, HostileCounts) {
  ExpectBad(Bytes().GgufHeader(kHuge, 0), {"tensor count 18446744073709551615", "limit"});
  ExpectBad(Bytes().GgufHeader(0, kHuge), {"metadata count 18446744073709551615", "limit"});
  ExpectBad(Bytes().GgufHeader(1000, 0), {"tensor 0 of 1000", "truncated"});
  ExpectBad(Bytes().GgufHeader(0, 1000), {"metadata entry 0 of 1000", "truncated"});
}

TEST(Gguf, HostileKeys) {
  ExpectBad(Bytes().GgufHeader(0, 1).Put(kHuge).Raw("key"),
            {"metadata entry 0", "18446744073709551615"});
  ExpectBad(Bytes().GgufHeader(0, 1).Put(kHuge - 20).Raw("key"), {"metadata entry 0", "truncated"});
  ExpectBad(Bytes().GgufHeader(0, 1).Key("", GgufType::kU8).Put<uint8_t>(1),
            {"the key \"\" is empty"});
  ExpectBad(Bytes().GgufHeader(0, 1).Key("a\x1b[2J", GgufType::kU8).Put<uint8_t>(1),
            {"a\\x1b[2J", "not printable"});
  ExpectBad(Bytes().GgufHeader(0, 1).Key(std::string(70000, 'k'), GgufType::kU8).Put<uint8_t>(1),
            {"too long", "kkk"});
  Bytes twice;
  twice.GgufHeader(0, 2)
      .Key("k", GgufType::kU8)
      .Put<uint8_t>(1)
      .Key("k", GgufType::kU8)
      .Put<uint8_t>(2);
  ExpectBad(twice, {"\"k\" occurs twice"});
}

TEST(Gguf, HostileValues) {
  ExpectBad(Bytes().GgufHeader(0, 1).Str("k").Put<uint32_t>(13).Put<uint64_t>(0),
            {"\"k\" has value type 13"});
  ExpectBad(Bytes().GgufHeader(0, 1).Key("k", GgufType::kBool).Put<uint8_t>(2),
            {"\"k\"", "a bool is 0 or 1, found 2"});
  ExpectBad(Bytes().GgufHeader(0, 1).Key("k", GgufType::kString).Put(kHuge).Raw("x"),
            {"\"k\"", "truncated"});
  ExpectBad(Bytes().GgufHeader(0, 1).ArrayKey("k", GgufType::kU64, uint64_t{1} << 61),
            {"\"k\"", "above the limit"});
  ExpectBad(Bytes().GgufHeader(0, 1).ArrayKey("k", GgufType::kU64, 1 << 20).Put<uint64_t>(1),
            {"\"k\"", "1048576 values of type u64", "only 8 bytes left"});
  ExpectBad(Bytes().GgufHeader(0, 1).ArrayKey("k", GgufType::kString, 1 << 20).Str("a"),
            {"\"k\"", "1048576 values of type string"});
  ExpectBad(Bytes().GgufHeader(0, 1).ArrayKey("k", GgufType::kString, 2).Str("a").Put(kHuge - 3),
            {"\"k\"", "string 1"});
  ExpectBad(Bytes().GgufHeader(0, 1).ArrayKey("k", static_cast<GgufType>(99), 1),
            {"\"k\" has value type 99"});
}

TEST(Gguf, NestingIsLimited) {
  const auto nested = [](int depth) {
    Bytes b;
    b.GgufHeader(0, 1).ArrayKey("k", GgufType::kArray, 1);
    for (int i = 2; i < depth; ++i) b.Put(static_cast<uint32_t>(GgufType::kArray)).Put<uint64_t>(1);
    b.Put(static_cast<uint32_t>(GgufType::kU8)).Put<uint64_t>(1).Put<uint8_t>(9);
    return b;
  };
  EXPECT_TRUE(Parse(nested(4)).ok());
  ExpectBad(nested(5), {"\"k\" nests arrays deeper than 4"});
  ExpectBad(nested(10000), {"\"k\" nests arrays deeper than 4"});
}

TEST(Gguf, Alignment) {
  for (const uint32_t bad : {0u, 3u, 48u, 1u << 21, 0x80000000u}) {
    Bytes b;
    b.GgufHeader(0, 1).Key("general.alignment", GgufType::kU32).Put(bad);
    ExpectBad(b, {"general.alignment is " + std::to_string(bad), "power of two"});
  }
  ExpectBad(Bytes().GgufHeader(0, 1).Key("general.alignment", GgufType::kString).Str("32"),
            {"\"general.alignment\"", "expected an integer", "found string"});
  Bytes b;
  b.GgufHeader(1, 1).Key("general.alignment", GgufType::kU32).Put<uint32_t>(256);
  b.TensorEntry("w", {4}, kF32, 0).Pad(256, 16);
  const Result<GgufFile> file = Parse(b);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->data_offset(), 256u);
}

TEST(Gguf, TensorDimensions) {
  EXPECT_TRUE(Parse(OneTensor({2, 2, 2, 2}, kF32, 0)).ok());
  EXPECT_EQ(Parse(OneTensor({}, kF32, 0)).value().tensors()[0].bytes.size(), 4u);
  ExpectBad(OneTensor({1, 1, 1, 1, 1}, kF32, 0), {"tensor \"w\" has 5 dimensions", "at most 4"});
  ExpectBad(OneTensor({4, 0}, kF32, 0), {"tensor \"w\": dimension 1 is 0"});
  ExpectBad(OneTensor({kHuge}, kF32, 0), {"tensor \"w\": dimension 0 is 18446744073709551615"});
  ExpectBad(OneTensor({uint64_t{1} << 32, uint64_t{1} << 32}, kF32, 0),
            {"tensor \"w\"", "overflows"});
  ExpectBad(OneTensor({uint64_t{1} << 62}, kF32, 0), {"tensor \"w\"", "overflows"});
  // 2^64 + 64 bytes: what a 64-bit product would take for 64.
  ExpectBad(OneTensor({16, (uint64_t{1} << 58) + 1}, kF32, 0), {"tensor \"w\"", "overflows"});
  ExpectBad(OneTensor({33, 2}, kQ4_0, 0),
            {"tensor \"w\"", "rows of 33 values", "q4_0", "blocks of 32"});
}

TEST(Gguf, TensorPlaces) {
  EXPECT_TRUE(Parse(OneTensor({16}, kF32, 0)).ok());
  EXPECT_TRUE(Parse(OneTensor({8}, kF32, 32)).ok());
  ExpectBad(OneTensor({17}, kF32, 0),
            {"tensor \"w\" needs 68 bytes at offset 0", "holds 64", "truncated"});
  ExpectBad(OneTensor({9}, kF32, 32), {"tensor \"w\" needs 36 bytes at offset 32"});
  ExpectBad(OneTensor({8}, kF32, 96), {"tensor \"w\" needs 32 bytes at offset 96"});
  ExpectBad(OneTensor({8}, kF32, 4),
            {"tensor \"w\": offset 4 is not a multiple of the alignment 32"});
  ExpectBad(OneTensor({8}, kF32, kHuge - 31),
            {"tensor \"w\" needs 32 bytes at offset 18446744073709551584"});
  Bytes overlap;
  overlap.GgufHeader(2, 0)
      .TensorEntry("one", {16}, kF32, 0)
      .TensorEntry("two", {8}, kF32, 32)
      .Pad(32, 64);
  ExpectBad(overlap, {"\"one\" and \"two\" overlap"});
}

TEST(Gguf, TensorNames) {
  Bytes twice;
  twice.GgufHeader(2, 0).TensorEntry("w", {8}, kF32, 0).TensorEntry("w", {8}, kF32, 32).Pad(32, 64);
  ExpectBad(twice, {"tensor \"w\" occurs twice"});
  Bytes escape;
  escape.GgufHeader(1, 0).TensorEntry("w\n\xff", {8}, kF32, 0).Pad(32, 32);
  ExpectBad(escape, {"w\\x0a\\xff", "not printable"});
  Bytes huge;
  huge.GgufHeader(1, 0).Put(kHuge).Raw("w");
  ExpectBad(huge, {"tensor 0 of 1", "truncated"});
}

TEST(Gguf, TensorTypes) {
  ExpectBad(OneTensor({32}, 999, 0), {"tensor \"w\"", "999"}, StatusCode::kUnsupported);
  ExpectBad(OneTensor({32}, kHuge & 0xffffffff, 0), {"tensor \"w\"", "4294967295"},
            StatusCode::kUnsupported);
  // Known to ggml, not to galen: the file opens, the tensor is marked.
  const Bytes bytes = OneTensor({32}, 39, 0);
  const Result<GgufFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_FALSE(file->tensors()[0].supported);
  EXPECT_EQ(file->tensors()[0].type_name, "mxfp4");
  EXPECT_EQ(file->tensors()[0].bytes.size(), 17u);
}

}  // namespace
}  // namespace galen
