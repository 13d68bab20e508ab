#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include "formats/test_files.h"

namespace galen {
namespace {

Result<SafetensorsFile> ParseWhole(const Bytes& bytes) {
  return ParseSafetensors(bytes.span(), "m.safetensors");
}

void ExpectBad(std::string_view header, size_t buffer,
               std::initializer_list<std::string_view> parts,
               StatusCode code = StatusCode::kDataLoss) {
  const Bytes bytes = Safetensors(header, buffer);
  Result<SafetensorsFile> file = ParseWhole(bytes);
  ASSERT_FALSE(file.ok()) << header;
  ExpectError(file.status(), code, {"m.safetensors: "});
  ExpectError(file.status(), code, parts);
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  const Bytes bytes = Safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"s":{"dtype":"F16","shape":[],"data_offsets":[20,22]},)"
      R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[22,22]},"q":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[22,25]}}   )",
      25);
  const Result<SafetensorsFile> file = ParseWhole(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->tensors.size(), 5u);
  EXPECT_EQ(file->metadata.at("format"), "pt");
  EXPECT_EQ(file->tensors[0].name, "a");
  EXPECT_EQ(file->tensors[0].dtype, DType::kF32);
  EXPECT_EQ(file->tensors[1].name, "b");
  EXPECT_EQ(file->tensors[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file->tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(file->tensors[1].bytes.size(), 12u);
  EXPECT_EQ(file->tensors[1].type_name, "bf16");
  EXPECT_EQ(file->tensors[1].bytes.data(), bytes.span().data() + bytes.size() - 17);
  EXPECT_EQ(file->tensors[2].NumElements(), 1);
  EXPECT_EQ(file->tensors[3].NumElements(), 0);
  EXPECT_FALSE(file->tensors[4].supported);
  EXPECT_EQ(file->tensors[4].type_name, "F8_E4M3");
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string whole =
      Safetensors(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})",
          9)
          .string();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const Result<SafetensorsFile> file = ParseSafetensors(cut, "m.safetensors");
    ASSERT_FALSE(file.ok()) << size;
    EXPECT_EQ(file.status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST(Safetensors, HeaderLength) {
  ExpectError(ParseWhole(Bytes().Raw("abc")).status(), StatusCode::kDataLoss,
              {"3 bytes", "header length of 8"});
  ExpectError(ParseWhole(Bytes().Put<uint64_t>(~uint64_t{0}).Raw("{}")).status(),
              StatusCode::kDataLoss, {"header length 18446744073709551615", "limit of 100000000"});
  ExpectError(ParseWhole(Bytes().Put<uint64_t>(3).Raw("{}")).status(), StatusCode::kDataLoss,
              {"header length 3 is beyond the end of the file of 10 bytes", "truncated"});
  ExpectError(ParseWhole(Bytes().Put<uint64_t>(0)).status(), StatusCode::kDataLoss,
              {"does not start with"});
  EXPECT_TRUE(ParseWhole(Bytes().Put<uint64_t>(2).Raw("{}")).ok());
}

TEST(Safetensors, HeaderJson) {
  ExpectBad(R"({"a":)", 0, {"header: not valid JSON at byte"});
  ExpectBad("{}{}", 0, {"not valid JSON"});
  ExpectBad("{\"a\xff\":{}}", 0, {"not valid JSON"});
  ExpectBad(R"({"a":1})", 0, {"tensor \"a\": expected an object, found a number"});
  ExpectBad(R"({"a":[]})", 0, {"tensor \"a\": expected an object, found an array"});
  ExpectBad(R"({"a":{"dtype":7}})", 0,
            {"tensor \"a\": field \"dtype\": expected a string, found a number"});
  ExpectBad(R"({"a":{"shape":"x"}})", 0, {"field \"shape\": expected an array, found a string"});
  ExpectBad(R"({"a":{"shape":[-1]}})", 0,
            {"tensor \"a\": field \"shape\": expected a whole number", "negative"});
  ExpectBad(R"({"a":{"shape":[1.5]}})", 0, {"tensor \"a\": field \"shape\"", "fractional"});
  ExpectBad(R"({"a":{"shape":[[1]]}})", 0, {"tensor \"a\": field \"shape\"", "found an array"});
  ExpectBad(R"({"a":{"shape":[null]}})", 0, {"tensor \"a\": field \"shape\"", "found null"});
  ExpectBad(R"({"a":{"shape":[18446744073709551616]}})", 0, {"fractional"});  // more than 64 bits
  ExpectBad(R"({"a":{"shape":[1e999]}})", 0, {"not valid JSON"});
  ExpectBad(R"({"a":{"code":"x"}})", 0, {"tensor \"a\": unknown field \"code\""});
  ExpectBad(R"({"__metadata__":{"format":{}}})", 0,
            {"__metadata__ field \"format\"", "expected a string"});
  ExpectBad(R"({"":{}})", 0, {"tensor \"\"", "empty"});
  ExpectBad(R"({"a\u001b[2J":{}})", 0, {"a\\x1b[2J", "not printable"});
  ExpectBad("{\"a\":{\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}", 0,
            {"tensor \"a\"", "more than 16"});
  ExpectBad("{\"a\":" + std::string(100000, '['), 0, {"expected an object, found an array"});
}

TEST(Safetensors, Duplicates) {
  constexpr std::string_view kA = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  ExpectBad("{" + std::string(kA) + "," + std::string(kA) + "}", 1, {"tensor \"a\" occurs twice"});
  ExpectBad(R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1,
            {"field \"dtype\" occurs twice"});
  ExpectBad(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1,
            {"field \"shape\" occurs twice"});
}

TEST(Safetensors, MissingFieldsAndTypes) {
  ExpectBad(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1,
            {"tensor \"a\": field \"dtype\" is missing"});
  ExpectBad(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1,
            {"tensor \"a\": field \"shape\" is missing"});
  ExpectBad(R"({"a":{"dtype":"U8","shape":[1]}})", 1,
            {"tensor \"a\": field \"data_offsets\" is missing"});
  ExpectBad(R"({"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,1]}})", 1,
            {"tensor \"a\": unknown dtype \"Q9\"", "BF16"}, StatusCode::kUnsupported);
}

TEST(Safetensors, Offsets) {
  ExpectBad(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1,
            {"tensor \"a\": data_offsets has 1 numbers"});
  ExpectBad(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1,
            {"tensor \"a\"", "1 to 0 run backwards"});
  ExpectBad(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 1,
            {"tensor \"a\"", "0 to 2 lie beyond the buffer of 1 bytes", "truncated"});
  ExpectBad(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}})",
      1, {"tensor \"a\"", "beyond the buffer"});
  ExpectBad(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}})", 7,
            {"tensor \"a\"", "need 64 bits", "hold 7 bytes"});
  ExpectBad(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
      3, {"\"a\" and \"b\" overlap at offset 1"});
  ExpectBad(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
      4, {"bytes 1 to 3 of the buffer, before tensor \"b\""});
  ExpectBad(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 5,
            {"the last 4 bytes belong to no tensor"});
}

TEST(Safetensors, Shapes) {
  ExpectBad(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
            {"tensor \"a\"", "overflows"});
  ExpectBad(R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})", 0,
            {"tensor \"a\"", "overflows"});
  ExpectBad(R"({"a":{"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,0]}})", 0,
            {"tensor \"a\"", "overflows"});
  ExpectBad(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1,
            {"tensor \"a\"", "need 12 bits"});
}

TEST(SafetensorsIndex, ReadsShards) {
  const Result<SafetensorsIndex> index = ParseSafetensorsIndex(
      R"({"metadata":{"total_size":3},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}})",
      "i.json");
  ASSERT_TRUE(index.ok()) << index.status().message();
  EXPECT_EQ(index->size(), 2u);
  EXPECT_EQ(index->at("m-1.safetensors"), (std::vector<std::string>{"a", "c"}));
}

TEST(SafetensorsIndex, ShardsStayInTheDirectory) {
  for (const char* shard : {"../m.safetensors", "/etc/passwd", "x/../../m", "..", ".", "", "a\\\\b",
                            "C:m", ".hidden", "a\\u0000b"}) {
    const std::string json = std::string(R"({"weight_map":{"a.weight":")") + shard + "\"}}";
    const Result<SafetensorsIndex> index = ParseSafetensorsIndex(json, "i.json");
    ASSERT_FALSE(index.ok()) << shard;
    ExpectError(index.status(), StatusCode::kDataLoss,
                {"i.json", "tensor \"a.weight\"", "shard", "same directory"});
  }
}

TEST(SafetensorsIndex, Damage) {
  const auto status = [](std::string_view json) {
    return ParseSafetensorsIndex(json, "i.json").status();
  };
  ExpectError(status("{"), StatusCode::kDataLoss, {"i.json", "invalid JSON"});
  ExpectError(status("[]"), StatusCode::kDataLoss, {"i.json", "weight_map"});
  ExpectError(status(R"({"weight_map":[]})"), StatusCode::kDataLoss, {"weight_map"});
  ExpectError(status(R"({"weight_map":{}})"), StatusCode::kDataLoss, {"lists no tensors"});
  ExpectError(status(R"({"weight_map":{"a":1}})"), StatusCode::kDataLoss, {"tensor \"a\""});
  ExpectError(status(std::string(1000, '[')), StatusCode::kDataLoss, {"i.json"});
}

}  // namespace
}  // namespace galen
