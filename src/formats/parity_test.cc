// What the reference packages wrote and read (tests/parity/formats/make_fixtures.py), read again by
// galen.
#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "base/files.h"
#include "formats/checkpoint.h"
#include "formats/hf_config.h"
#include "formats/safetensors.h"

namespace galen {
namespace {

std::string Fixture(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/formats/" + name;
}

Json Expected(const std::string& name) {
  const Result<std::string> text = ReadFile(Fixture(name));
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? ParseJson(*text).value() : Json();
}

std::string Hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

void ExpectMetadata(const GgufFile& file, const std::string& key, const Json& types,
                    const Json& value) {
  SCOPED_TRACE(key);
  const std::string type = types.back().get<std::string>();
  if (types.size() == 1) {
    if (type == "STRING") {
      EXPECT_EQ(std::string(file.GetString(key).value()), value.get<std::string>());
    } else if (type == "BOOL") {
      EXPECT_EQ(file.GetBool(key).value(), value.get<bool>());
    } else if (type.starts_with("FLOAT")) {
      EXPECT_EQ(file.GetDouble(key).value(), value.get<double>());
    } else {
      EXPECT_EQ(file.GetInt(key).value(), value.get<int64_t>());
    }
  } else if (types.size() == 3) {
    EXPECT_EQ(file.GetIntLists(key).value(), value.get<std::vector<std::vector<int64_t>>>());
  } else if (type == "STRING") {
    const auto found = file.GetStrings(key).value();
    EXPECT_EQ(std::vector<std::string>(found.begin(), found.end()),
              value.get<std::vector<std::string>>());
  } else if (type.starts_with("FLOAT")) {
    EXPECT_EQ(file.GetFloats(key).value(), value.get<std::vector<float>>());
  } else {
    std::vector<int64_t> expected;
    for (const Json& v : value)
      expected.push_back(v.is_boolean() ? v.get<bool>() : v.get<int64_t>());
    EXPECT_EQ(file.GetInts(key).value(), expected);
  }
}

TEST(FormatsParity, GgufFromThePythonPackage) {
  for (const std::string name : {"types.gguf", "aligned.gguf"}) {
    SCOPED_TRACE(name);
    const Json expected = Expected(name + ".json");
    const auto checkpoint = OpenCheckpoint(Fixture(name));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    const GgufFile& file = *(*checkpoint)->gguf();
    EXPECT_EQ(file.alignment(), expected["alignment"].get<uint64_t>());
    EXPECT_EQ(file.metadata().size(), expected["metadata"].size());
    for (const auto& [key, field] : expected["metadata"].items())
      ExpectMetadata(file, key, field["types"], field["value"]);
    const Json& tensors = expected["tensors"];
    ASSERT_EQ(file.tensors().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const TensorInfo& tensor = file.tensors()[i];
      EXPECT_EQ(tensor.name, tensors[i]["name"].get<std::string>());
      EXPECT_EQ(tensor.shape, tensors[i]["shape"].get<std::vector<int64_t>>()) << tensor.name;
      EXPECT_EQ(Upper(tensor.type_name), tensors[i]["type"].get<std::string>()) << tensor.name;
      EXPECT_EQ(Hex(tensor.bytes), tensors[i]["hex"].get<std::string>()) << tensor.name;
      EXPECT_EQ((*checkpoint)->Find(tensor.name).ok(), tensor.type_name != "mxfp4") << tensor.name;
    }
  }
}

TEST(FormatsParity, SafetensorsFromThePythonPackage) {
  const Json expected = Expected("types.safetensors.json");
  const auto checkpoint = OpenCheckpoint(Fixture("types.safetensors"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ((*checkpoint)->tensors().size(), expected["tensors"].size());
  const std::map<std::string, std::string> torch_names = {
      {"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"}, {"float64", "f64"},
      {"int64", "i64"},   {"int32", "i32"},   {"int16", "i16"},     {"int8", "i8"},
      {"uint8", "u8"},    {"bool", "bool"}};
  for (const Json& tensor : expected["tensors"]) {
    const std::string name = tensor["name"];
    const auto known = torch_names.find(tensor["dtype"].get<std::string>());
    const Result<const TensorInfo*> found = (*checkpoint)->Find(name);
    ASSERT_EQ(found.ok(), known != torch_names.end()) << name;
    if (!found.ok()) continue;
    EXPECT_EQ((*found)->type_name, known->second) << name;
    EXPECT_EQ((*found)->shape, tensor["shape"].get<std::vector<int64_t>>()) << name;
    EXPECT_EQ(Hex((*found)->bytes), tensor["hex"].get<std::string>()) << name;
  }
  const Result<std::string> bytes = ReadFile(Fixture("types.safetensors"));
  const auto file = ParseSafetensors(
      {reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, "types.safetensors");
  EXPECT_EQ(Json(file->metadata), expected["metadata"]);
}

void ExpectRope(const Result<RopeParameters>& rope, const Json& expected) {
  ASSERT_TRUE(rope.ok()) << rope.status().message();
  EXPECT_EQ(rope->type, expected["rope_type"].get<std::string>());
  EXPECT_EQ(rope->theta, expected["rope_theta"].get<double>());
  EXPECT_EQ(rope->factor, expected.value("factor", 1.0));
  EXPECT_EQ(rope->low_freq_factor, expected.value("low_freq_factor", 1.0));
  EXPECT_EQ(rope->high_freq_factor, expected.value("high_freq_factor", 4.0));
  if (expected.contains("original_max_position_embeddings")) {
    EXPECT_EQ(rope->original_max_position_embeddings,
              expected["original_max_position_embeddings"].get<int64_t>());
  }
}

TEST(FormatsParity, ConfigsAsTransformersReadsThem) {
  const Json cases = Expected("hf_configs.json");
  ASSERT_GE(cases.size(), 20u);
  for (const Json& c : cases) {
    SCOPED_TRACE(c["family"].get<std::string>() + " " + c["config"].dump());
    const Result<HfConfig> config = HfConfig::Parse(c["config"].dump(), "", "/m");
    ASSERT_TRUE(config.ok()) << config.status().message();
    const JsonView& text = config->text();
    const Json& expected = c["expected"];
    ExpectRope(ReadHfRope(text, RopeLayers::kGlobal, c["default_theta"][0]), expected["global"]);
    if (!expected["sliding"].is_null()) {
      ExpectRope(ReadHfRope(text, RopeLayers::kSliding, c["default_theta"][1]),
                 expected["sliding"]);
    }
    const int64_t layers = text.GetInt("num_hidden_layers", 1, 100).value();
    const auto sliding = ReadSlidingLayers(text, layers, c["default_pattern"]);
    ASSERT_TRUE(sliding.ok()) << sliding.status().message();
    EXPECT_EQ(*sliding, expected["layer_is_sliding"].get<std::vector<bool>>());
  }
}

}  // namespace
}  // namespace galen
