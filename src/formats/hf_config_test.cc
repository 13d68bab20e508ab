#include "formats/hf_config.h"

#include <gtest/gtest.h>

#include "formats/test_files.h"

namespace galen {
namespace {

Result<HfConfig> Parse(std::string_view config, std::string_view generation = "") {
  return HfConfig::Parse(config, generation, "/m");
}

RopeParameters Rope(std::string_view config, RopeLayers layers, double theta = 7.0) {
  const Result<HfConfig> parsed = Parse(config);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  const Result<RopeParameters> rope = ReadHfRope(parsed->text(), layers, theta);
  EXPECT_TRUE(rope.ok()) << rope.status().message();
  return rope.ok() ? *rope : RopeParameters();
}

Status RopeError(std::string_view config) {
  const Result<HfConfig> parsed = Parse(config);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return ReadHfRope(parsed->text(), RopeLayers::kGlobal, 7.0).status();
}

std::vector<bool> Sliding(std::string_view config, int64_t layers, int64_t pattern = 0) {
  const Result<HfConfig> parsed = Parse(config);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  const auto sliding = ReadSlidingLayers(parsed->text(), layers, pattern);
  EXPECT_TRUE(sliding.ok()) << sliding.status().message();
  return sliding.ok() ? *sliding : std::vector<bool>();
}

TEST(HfConfig, TypedGettersWithDefaultsAndRanges) {
  const Result<HfConfig> config = Parse(
      R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_size":640,"window":512.0,"eps":1e-6,"cap":null,
          "tied":true,"act":"silu","ids":[1,106],"half":0.5,"big":18446744073709551615})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  const JsonView& view = config->text();
  EXPECT_EQ(config->model_type(), "llama");
  EXPECT_EQ(config->architecture(), "LlamaForCausalLM");
  EXPECT_EQ(view.GetInt("hidden_size", 1, 1000).value(), 640);
  EXPECT_EQ(view.GetInt("window", 1, 1000).value(), 512);
  EXPECT_EQ(view.GetDouble("eps", 0, 1).value(), 1e-6);
  EXPECT_EQ(view.GetDouble("hidden_size", 0, 1000).value(), 640.0);
  EXPECT_TRUE(view.GetBool("tied").value());
  EXPECT_EQ(view.GetString("act").value(), "silu");
  EXPECT_EQ(view.GetInts("ids", 0, 200).value(), (std::vector<int64_t>{1, 106}));
  EXPECT_FALSE(view.Has("cap"));  // null counts as absent
  EXPECT_EQ(view.GetDoubleOr("cap", 3.5, 0, 1).value(), 3.5);
  EXPECT_EQ(view.GetIntOr("absent", 9, 0, 1).value(), 9);
  EXPECT_FALSE(view.GetBoolOr("absent", false).value());
  EXPECT_EQ(view.GetStringOr("absent", "gelu").value(), "gelu");

  ExpectError(view.GetInt("absent", 1, 10).status(), StatusCode::kNotFound,
              {"/m/config.json", "\"absent\" is missing", "1 to 10"});
  ExpectError(view.GetInt("hidden_size", 1, 100).status(), StatusCode::kDataLoss,
              {"\"hidden_size\" is 640", "1 to 100"});
  ExpectError(view.GetIntOr("hidden_size", 5, 1, 100).status(), StatusCode::kDataLoss,
              {"\"hidden_size\" is 640"});
  ExpectError(view.GetInt("act", 1, 100).status(), StatusCode::kDataLoss,
              {"\"act\"", "expected a whole number", "found \"silu\""});
  ExpectError(view.GetInt("half", 0, 100).status(), StatusCode::kDataLoss,
              {"\"half\"", "found 0.5"});
  ExpectError(view.GetInt("big", 0, 100).status(), StatusCode::kDataLoss,
              {"\"big\"", "found 18446744073709551615"});
  ExpectError(view.GetInt("tied", 0, 1).status(), StatusCode::kDataLoss,
              {"\"tied\"", "found true"});
  ExpectError(view.GetDouble("act", 0, 1).status(), StatusCode::kDataLoss, {"expected a number"});
  ExpectError(view.GetDouble("eps", 1e-5, 1).status(), StatusCode::kDataLoss,
              {"\"eps\" is 1e-06", "1e-05 to 1"});
  ExpectError(view.GetBool("hidden_size").status(), StatusCode::kDataLoss,
              {"expected true or false", "found 640"});
  ExpectError(view.GetString("ids").status(), StatusCode::kDataLoss,
              {"expected a string", "found a list of 2"});
  ExpectError(view.GetInts("ids", 0, 100).status(), StatusCode::kDataLoss,
              {"\"ids\": element 1 is 106"});
  ExpectError(view.GetInts("act", 0, 100).status(), StatusCode::kDataLoss,
              {"expected a list of whole numbers"});
  ExpectError(view.GetStrings("ids").status(), StatusCode::kDataLoss,
              {"\"ids\": element 0", "expected a string, found 1"});
}

TEST(HfConfig, TextConfig) {
  const Result<HfConfig> config = Parse(
      R"({"model_type":"gemma3","eos_token_id":[1,106],"text_config":{"hidden_size":"x","eos_token_id":5}})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->model_type(), "gemma3");
  ExpectError(config->text().GetInt("hidden_size", 1, 2).status(), StatusCode::kDataLoss,
              {"\"text_config.hidden_size\""});
  EXPECT_EQ(config->eos_token_ids(), (std::vector<int64_t>{1, 106}));
  ExpectError(Parse(R"({"text_config":7})").status(), StatusCode::kDataLoss,
              {"\"text_config\"", "expected an object, found 7"});
}

TEST(HfConfig, Eos) {
  EXPECT_EQ(Parse(R"({"eos_token_id":2})", R"({"eos_token_id":[1,106]})")->eos_token_ids(),
            (std::vector<int64_t>{1, 106}));
  EXPECT_EQ(Parse(R"({"eos_token_id":2})", R"({"eos_token_id":null})")->eos_token_ids(),
            (std::vector<int64_t>{2}));
  EXPECT_EQ(Parse(R"({"text_config":{"eos_token_id":3}})")->eos_token_ids(),
            (std::vector<int64_t>{3}));
  EXPECT_TRUE(Parse("{}")->eos_token_ids().empty());
  ExpectError(Parse("{}", R"({"eos_token_id":-1})").status(), StatusCode::kDataLoss,
              {"generation_config.json", "eos_token_id", "-1"});
  ExpectError(Parse(R"({"eos_token_id":"</s>"})").status(), StatusCode::kDataLoss,
              {"\"eos_token_id\"", "found \"</s>\""});
}

TEST(HfConfig, Damage) {
  ExpectError(Parse("").status(), StatusCode::kDataLoss, {"/m/config.json", "invalid JSON"});
  ExpectError(Parse("[1]").status(), StatusCode::kDataLoss,
              {"/m/config.json", "expected a JSON object"});
  ExpectError(Parse("{}", "7").status(), StatusCode::kDataLoss,
              {"/m/generation_config.json", "expected a JSON object"});
  ExpectError(Parse(std::string(100000, '{')).status(), StatusCode::kDataLoss, {"/m/config.json"});
  ExpectError(Parse(R"({"architectures":"x"})").status(), StatusCode::kDataLoss,
              {"\"architectures\"", "list of strings"});
  ExpectError(Parse(R"({"hidden_size":1e999})").status(), StatusCode::kDataLoss,
              {"/m/config.json"});
}

TEST(HfConfig, Open) {
  const TemporaryDirectory directory;
  ExpectError(HfConfig::Open(directory.path()).status(), StatusCode::kNotFound,
              {directory.path(), "config.json is missing"});
  directory.Write("config.json", R"({"eos_token_id":2})");
  EXPECT_EQ(HfConfig::Open(directory.path())->eos_token_ids(), std::vector<int64_t>{2});
  directory.Write("generation_config.json", R"({"eos_token_id":[2,4]})");
  EXPECT_EQ(HfConfig::Open(directory.path())->eos_token_ids(), (std::vector<int64_t>{2, 4}));
  directory.Write("generation_config.json", "");
  ExpectError(HfConfig::Open(directory.path()).status(), StatusCode::kDataLoss,
              {"generation_config.json", "is empty"});
}

TEST(HfRope, Gemma3InBothSpellings) {
  const char* old_spelling =
      R"({"rope_theta":1000000,"rope_local_base_freq":10000,"rope_scaling":{"rope_type":"linear","factor":8}})";
  const char* new_spelling =
      R"({"rope_parameters":{"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":1e6},
                                 "sliding_attention":{"rope_type":"default","rope_theta":10000.0}}})";
  for (const char* config : {old_spelling, new_spelling}) {
    const RopeParameters global = Rope(config, RopeLayers::kGlobal);
    EXPECT_EQ(global.type, "linear");
    EXPECT_EQ(global.theta, 1e6);
    EXPECT_EQ(global.factor, 8.0);
    const RopeParameters local = Rope(config, RopeLayers::kSliding);
    EXPECT_EQ(local.type, "default");
    EXPECT_EQ(local.theta, 1e4);
    EXPECT_EQ(local.factor, 1.0);
  }
  EXPECT_EQ(Rope("{}", RopeLayers::kGlobal, 1e6).theta, 1e6);
  EXPECT_EQ(Rope("{}", RopeLayers::kSliding, 1e4).theta, 1e4);
  EXPECT_EQ(Rope(R"({"rope_scaling":null,"rope_theta":null})", RopeLayers::kGlobal, 5).theta, 5);
  // A base of the global layers is none for the local ones.
  EXPECT_EQ(Rope(R"({"rope_parameters":{"rope_theta":9}})", RopeLayers::kSliding, 5).theta, 5);
}

TEST(HfRope, Llama3InBothSpellings) {
  const char* old_spelling =
      R"({"rope_theta":500000.0,"max_position_embeddings":131072,"rope_scaling":{"factor":32.0,
      "high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}})";
  const char* new_spelling =
      R"({"max_position_embeddings":131072,"rope_parameters":{"rope_theta":500000.0,"factor":32.0,
      "high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}})";
  for (const char* config : {old_spelling, new_spelling}) {
    const RopeParameters rope = Rope(config, RopeLayers::kGlobal);
    EXPECT_EQ(rope.type, "llama3");
    EXPECT_EQ(rope.theta, 5e5);
    EXPECT_EQ(rope.factor, 32.0);
    EXPECT_EQ(rope.low_freq_factor, 1.0);
    EXPECT_EQ(rope.high_freq_factor, 4.0);
    EXPECT_EQ(rope.original_max_position_embeddings, 8192);
  }
  const RopeParameters rope = Rope(
      R"({"max_position_embeddings":4096,"rope_scaling":{"factor":2,"high_freq_factor":4,"low_freq_factor":1,"type":"llama3"}})",
      RopeLayers::kGlobal);
  EXPECT_EQ(rope.original_max_position_embeddings, 4096);
}

TEST(HfRope, OldestSpellingAndDamage) {
  EXPECT_EQ(Rope(R"({"rope_scaling":{"type":"dynamic","factor":2}})", RopeLayers::kGlobal).type,
            "dynamic");
  EXPECT_EQ(
      Rope(
          R"({"rope_scaling":{"type":"linear","rope_type":"llama3","factor":2,"low_freq_factor":1,"high_freq_factor":4}})",
          RopeLayers::kGlobal)
          .type,
      "llama3");
  ExpectError(RopeError(R"({"rope_scaling":{"type":"linear"}})"), StatusCode::kNotFound,
              {"\"factor\" is missing", "\"linear\""});
  ExpectError(RopeError(R"({"rope_scaling":{"type":"llama3","factor":8}})"), StatusCode::kNotFound,
              {"\"low_freq_factor\""});
  ExpectError(RopeError(R"({"rope_scaling":{"type":"linear","factor":0}})"), StatusCode::kDataLoss,
              {"\"rope_scaling.factor\" is 0"});
  ExpectError(RopeError(R"({"rope_scaling":{"type":"linear","factor":"8"}})"),
              StatusCode::kDataLoss, {"expected a number"});
  ExpectError(RopeError(R"({"rope_scaling":[1]})"), StatusCode::kDataLoss,
              {"\"rope_scaling\"", "expected an object"});
  ExpectError(RopeError(R"({"rope_theta":-1})"), StatusCode::kDataLoss, {"\"rope_theta\" is -1"});
  ExpectError(RopeError(R"({"rope_parameters":{"full_attention":{"rope_theta":0}}})"),
              StatusCode::kDataLoss, {"\"rope_parameters.full_attention.rope_theta\" is 0"});
}

TEST(SlidingLayers, EverySpelling) {
  const std::vector<bool> six = {true, true, true, true, true, false, true};
  EXPECT_EQ(Sliding("{}", 7, 6), six);
  EXPECT_EQ(Sliding(R"({"sliding_window_pattern":6})", 7), six);
  EXPECT_EQ(Sliding(R"({"_sliding_window_pattern":6})", 7), six);
  EXPECT_EQ(Sliding(R"({"sliding_window_pattern":2})", 4, 6),
            (std::vector<bool>{true, false, true, false}));
  EXPECT_EQ(Sliding(R"({"sliding_window_pattern":1})", 2, 6), (std::vector<bool>{false, false}));
  EXPECT_EQ(
      Sliding(
          R"({"sliding_window_pattern":6,"layer_types":["full_attention","sliding_attention"]})",
          2),
      (std::vector<bool>{false, true}));
  EXPECT_EQ(Sliding("{}", 3), (std::vector<bool>{false, false, false}));
}

TEST(SlidingLayers, Damage) {
  const auto status = [](std::string_view config) {
    const Result<HfConfig> parsed = Parse(config);
    EXPECT_TRUE(parsed.ok());
    return ReadSlidingLayers(parsed->text(), 2, 6).status();
  };
  ExpectError(status(R"({"layer_types":["full_attention"]})"), StatusCode::kDataLoss,
              {"\"layer_types\" lists 1 layers", "has 2"});
  ExpectError(status(R"({"layer_types":["full_attention","linear_attention"]})"),
              StatusCode::kUnsupported, {"layer 1 is \"linear_attention\""});
  ExpectError(status(R"({"sliding_window_pattern":0})"), StatusCode::kDataLoss,
              {"\"sliding_window_pattern\" is 0"});
  ExpectError(status(R"({"sliding_window_pattern":[true]})"), StatusCode::kDataLoss,
              {"lists 1 layers"});
}

TEST(GgufView, ReadsWithPrefix) {
  Bytes b;
  b.GgufHeader(0, 6);
  b.Key("gemma3.block_count", GgufType::kU32).Put<uint32_t>(3);
  b.Key("gemma3.rope.freq_base", GgufType::kF32).Put<float>(1e6f);
  b.Key("gemma3.rope.scaling.type", GgufType::kString).Str("linear");
  b.Key("gemma3.rope.scaling.factor", GgufType::kF32).Put<float>(8.0f);
  b.Key("gemma3.rope.local.freq_base", GgufType::kF32).Put<float>(1e4f);
  b.ArrayKey("gemma3.attention.sliding_window_pattern", GgufType::kBool, 3)
      .Put<uint8_t>(1)
      .Put<uint8_t>(0)
      .Put<uint8_t>(1);
  const Result<GgufFile> file = GgufFile::Parse(b.span(), "m.gguf");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const GgufView view(*file, "gemma3.");
  EXPECT_EQ(view.GetInt("block_count", 1, 10).value(), 3);
  EXPECT_EQ(view.GetIntOr("expert_count", 0, 1, 10).value(), 0);
  ExpectError(view.GetInt("block_count", 1, 2).status(), StatusCode::kDataLoss,
              {"m.gguf", "\"gemma3.block_count\" is 3", "1 to 2"});
  ExpectError(view.GetInt("embedding_length", 1, 2).status(), StatusCode::kNotFound,
              {"\"gemma3.embedding_length\" is missing"});
  const RopeParameters global = ReadGgufRope(view, RopeLayers::kGlobal, 5).value();
  EXPECT_EQ(global.theta, 1e6);
  EXPECT_EQ(global.type, "linear");
  EXPECT_EQ(global.factor, 8.0);
  EXPECT_EQ(ReadGgufRope(view, RopeLayers::kSliding, 5)->theta, 1e4);
  EXPECT_EQ(ReadSlidingLayers(view, 3, 0).value(), (std::vector<bool>{true, false, true}));
  const GgufView other(*file, "llama.");
  EXPECT_EQ(ReadGgufRope(other, RopeLayers::kGlobal, 5)->theta, 5);
  EXPECT_EQ(ReadGgufRope(other, RopeLayers::kGlobal, 5)->type, "default");
}

}  // namespace
}  // namespace galen
