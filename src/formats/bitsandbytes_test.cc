// Quantised matrices against bitsandbytes (tests/parity/quantize/make_golden.py), and broken ones.
#include "formats/bitsandbytes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/test_files.h"
#include "tensor/formats/bnb_4bit.h"
#include "tensor/formats/bnb_int8.h"

namespace galen {
namespace {

std::shared_ptr<const Checkpoint> Golden() {
  static const Result<std::shared_ptr<const Checkpoint>> kFile =
      OpenCheckpoint(std::string(GALEN_SOURCE_DIR) + "/tests/parity/quantize/golden.safetensors");
  EXPECT_TRUE(kFile.ok()) << kFile.status().message();
  return *kFile;
}

std::vector<float> Values(const TensorInfo& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.NumElements()));
  FormatOf(tensor.dtype).decode(tensor.bytes.data(), values.data(), tensor.NumElements());
  return values;
}

// Every matrix of the file as the name before ".weight".
std::vector<std::string> Cases(bool int8) {
  std::vector<std::string> names;
  for (const TensorInfo& tensor : Golden()->tensors()) {
    if (tensor.bnb == nullptr || (tensor.bnb->kind == BnbKind::kInt8) != int8) continue;
    names.push_back(tensor.name.substr(0, tensor.name.size() - 7));
  }
  EXPECT_GE(names.size(), int8 ? 2u : 20u);
  return names;
}

const TensorInfo& Find(const std::string& name) {
  const Result<const TensorInfo*> tensor = Golden()->Find(name);
  EXPECT_TRUE(tensor.ok()) << tensor.status().message();
  return **tensor;
}

TEST(Bitsandbytes, PartsLeaveTheList) {
  for (const TensorInfo& tensor : Golden()->tensors()) {
    for (const char* part : {"absmax", "quant_map", "quant_state", "SCB", "weight_format"}) {
      EXPECT_EQ(tensor.name.find(part), std::string::npos) << tensor.name;
    }
  }
}

TEST(Bitsandbytes, EncodesTo4BitAsBitsandbytesDoes) {
  for (const std::string& name : Cases(false)) {
    SCOPED_TRACE(name);
    const BnbTensor& expected = *Find(name + ".weight").bnb;
    const std::vector<float> values = Values(Find(name + ".input"));
    const auto n = static_cast<int64_t>(values.size());
    const int64_t blocks = (n + expected.blocksize - 1) / expected.blocksize;
    std::vector<uint8_t> codes(static_cast<size_t>(n + 1) / 2, 0xee);
    std::vector<float> absmax(static_cast<size_t>(blocks));
    EncodeBnb4(expected.kind == BnbKind::kNf4 ? Bnb4Type::kNf4 : Bnb4Type::kFp4, values.data(), n,
               expected.blocksize, codes.data(), absmax.data());
    EXPECT_EQ(codes, std::vector<uint8_t>(expected.codes.begin(), expected.codes.end()));
    if (expected.nested_map.empty()) {
      for (int64_t b = 0; b < blocks; ++b) EXPECT_EQ(absmax[b], expected.Scale(b)) << b;
      continue;
    }
    double mean = 0;
    for (float scale : absmax) mean += scale;
    mean /= static_cast<double>(blocks);
    EXPECT_NEAR(expected.nested_offset, mean, 1e-5 * mean);
    for (float& scale : absmax) scale -= expected.nested_offset;
    std::vector<uint8_t> nested(static_cast<size_t>(blocks));
    std::vector<float> outer(static_cast<size_t>(blocks + 255) / 256);
    EncodeBnbDynamic(absmax.data(), blocks, nested.data(), outer.data());
    EXPECT_EQ(nested, std::vector<uint8_t>(expected.absmax.begin(), expected.absmax.end()));
    EXPECT_EQ(std::memcmp(outer.data(), expected.nested_absmax.data(), 4 * outer.size()), 0);
  }
}

TEST(Bitsandbytes, DecodesToTheSameBits) {
  std::vector<std::string> names = Cases(false);
  for (const std::string& name : Cases(true)) names.push_back(name);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const TensorInfo& weight = Find(name + ".weight");
    const std::vector<float> expected = Values(Find(name + ".decoded"));
    const int64_t rows = weight.shape[0], cols = weight.shape[1];
    std::vector<float> values(expected.size());
    weight.bnb->Decode(0, rows * cols, values.data());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], expected[i]) << i;
    // By the block format, in two pieces; where rows are no whole blocks, rounded as stored.
    std::vector<uint8_t> scratch;
    const BlockFormat& format = FormatOf(weight.dtype);
    for (int64_t row = 0; row < rows; ++row) {
      const uint8_t* blocks = TensorRows(weight, cols, row, row + 1, &scratch);
      format.decode(blocks, values.data() + row * cols, cols / format.block_elems);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      float rounded = expected[i];
      if (weight.dtype == DType::kBF16) rounded = Bf16ToFloat(FloatToBf16(rounded));
      if (weight.dtype == DType::kF16) rounded = HalfToFloat(FloatToHalf(rounded));
      ASSERT_EQ(values[i], rounded) << i;
    }
  }
}

TEST(Bitsandbytes, EncodesRowsToInt8AsBitsandbytesDoes) {
  for (const std::string& name : Cases(true)) {
    SCOPED_TRACE(name);
    const TensorInfo& weight = Find(name + ".weight");
    const std::vector<float> values = Values(Find(name + ".input"));
    const int64_t cols = weight.shape[1];
    std::vector<int8_t> codes(static_cast<size_t>(cols));
    for (int64_t row = 0; row < weight.shape[0]; ++row) {
      float scb;
      EncodeBnbInt8Row(values.data() + row * cols, cols, codes.data(), &scb);
      EXPECT_EQ(scb, weight.bnb->Scale(row)) << row;
      EXPECT_EQ(std::memcmp(codes.data(), weight.bnb->codes.data() + row * cols, codes.size()), 0)
          << row;
    }
  }
}

TEST(Bitsandbytes, DynamicMapIsTheSame) { EXPECT_EQ(BnbDynamicMap(), Values(Find("dynamic_map"))); }

// ---- broken files

struct Part {
  std::string name, dtype, shape;
  std::string bytes;
};

std::string FloatBytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), 4 * values.size()};
}

// A matrix [2, 64] in NF4.
std::vector<Part> GoodMatrix() {
  return {{"a.weight", "U8", "[64,1]", std::string(64, '\x77')},
          {"a.weight.absmax", "F32", "[2]", FloatBytes({1, 2})},
          {"a.weight.quant_map", "F32", "[16]",
           FloatBytes({std::begin(kNf4Values), std::end(kNf4Values)})},
          {"a.weight.quant_state.bitsandbytes__nf4", "U8", "",
           R"({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 64]})"}};
}

Status OpenParts(const std::vector<Part>& parts) {
  std::string header = "{", data;
  for (const Part& part : parts) {
    const std::string shape =
        part.shape.empty() ? "[" + std::to_string(part.bytes.size()) + "]" : part.shape;
    header += (header.size() > 1 ? "," : "") + ("\"" + part.name) + R"(":{"dtype":")" + part.dtype +
              R"(","shape":)" + shape + R"(,"data_offsets":[)" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + part.bytes.size()) + "]}";
    data += part.bytes;
  }
  header += "}";
  const std::string file = Bytes().Put<uint64_t>(header.size()).Raw(header).Raw(data).string();
  return CheckpointFromBytes({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "f")
      .status();
}

void ExpectRefused(const std::vector<Part>& parts, const std::string& word) {
  const Status status = OpenParts(parts);
  ASSERT_FALSE(status.ok()) << word;
  EXPECT_NE(status.message().find(word), std::string::npos) << status.message();
}

TEST(Bitsandbytes, BrokenMatricesAreNamed) {
  ASSERT_TRUE(OpenParts(GoodMatrix()).ok()) << OpenParts(GoodMatrix()).message();
  const auto with = [](size_t part, std::string bytes) {
    std::vector<Part> parts = GoodMatrix();
    parts[part].bytes = std::move(bytes);
    if (part != 3) parts[part].shape = "";
    return parts;
  };
  const auto state = [&](const std::string& from, const std::string& to) {
    std::string text = GoodMatrix()[3].bytes;
    text.replace(text.find(from), from.size(), to);
    return with(3, text);
  };
  for (size_t missing = 0; missing < 3; ++missing) {
    std::vector<Part> parts = GoodMatrix();
    const std::string name = parts[missing].name;
    parts.erase(parts.begin() + static_cast<int64_t>(missing));
    ExpectRefused(parts, name + "\" is missing");
  }
  ExpectRefused(with(0, std::string(63, 'x')), "expected 64 bytes of codes");
  std::vector<Part> absmax = GoodMatrix();
  absmax[1].bytes = FloatBytes({1, 2, 3});
  absmax[1].shape = "[3]";
  ExpectRefused(absmax, "expected 2 values of type f32");
  std::vector<Part> table = GoodMatrix();
  table[2].bytes[4] ^= 1;
  ExpectRefused(table, "value 1");
  ExpectRefused(with(3, "{"), "expected a JSON object");
  ExpectRefused(state("nf4", "af4"), "quant_type");
  ExpectRefused(state("bfloat16", "float8"), "dtype");
  ExpectRefused(state("64", "0"), "blocksize");
  ExpectRefused(state("64", "63"), "blocksize");
  ExpectRefused(state("64", "\"64\""), "blocksize");
  ExpectRefused(state("[2, 64]", "[2]"), "shape");
  ExpectRefused(state("[2, 64]", "[2, -64]"), "shape");
  ExpectRefused(state("[2, 64]", "[2147483647, 2147483647]"), "bytes of codes");
  ExpectRefused(
      {{"b.weight", "F32", "[1,1]", FloatBytes({1})}, {"b.SCB", "F32", "[1]", FloatBytes({1})}},
      "i8");
  ExpectRefused({{"b.weight", "I8", "[1,2]", "ab"}, {"b.SCB", "F32", "[2]", FloatBytes({1, 2})}},
                "expected 1 values");
  ExpectRefused({{"b.weight", "I8", "[1,2]", "ab"},
                 {"b.weight_format", "U8", "[1]", "\x01"},
                 {"b.SCB", "F32", "[1]", FloatBytes({1})}},
                "layout");
}

}  // namespace
}  // namespace galen
