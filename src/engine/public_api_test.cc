#include <gtest/gtest.h>

#include <algorithm>

#include "galen/galen.h"

namespace galen::api {
namespace {

const std::string kTiny = std::string(GALEN_SOURCE_DIR) + "/tests/parity/models/tiny/";

TEST(PublicApi, AnswersTokenizesAndScores) {
  std::string error;
  const auto model = Model::Open(kTiny + "llama/f32.gguf", {.context = 64, .threads = 1}, &error);
  ASSERT_NE(model, nullptr) << error;
  std::string streamed;
  GenerateRequest request;
  request.prompt = "hello";
  request.raw = true;
  request.max_tokens = 8;
  request.on_text = [&](std::string_view piece) {
    streamed += piece;
    return true;
  };
  Answer answer;
  ASSERT_TRUE(model->Generate(request, &answer, &error)) << error;
  EXPECT_EQ(streamed, answer.text);
  EXPECT_LE(answer.tokens.size(), 8u);
  std::vector<int32_t> ids;
  ASSERT_TRUE(model->Tokenize("hello", &ids, &error)) << error;
  ASSERT_GE(answer.prompt_tokens.size(), ids.size());
  EXPECT_TRUE(std::equal(ids.rbegin(), ids.rend(), answer.prompt_tokens.rbegin()));
  std::vector<float> logprobs;
  ASSERT_TRUE(model->Score(answer.prompt_tokens, &logprobs, &error)) << error;
  EXPECT_EQ(logprobs.size(), answer.prompt_tokens.size() - 1);
  for (float x : logprobs) EXPECT_LE(x, 0);
  request.on_text = [](std::string_view) { return false; };
  ASSERT_TRUE(model->Generate(request, &answer, &error)) << error;
  EXPECT_LT(answer.text.size(), streamed.size());
}

TEST(PublicApi, ErrorsAreText) {
  std::string error;
  EXPECT_EQ(Model::Open("/nonexistent.gguf", {}, &error), nullptr);
  EXPECT_NE(error.find("/nonexistent.gguf"), std::string::npos);
  EXPECT_EQ(Model::Open(kTiny + "llama", {.context = 0}, &error), nullptr);
  EXPECT_NE(error.find("context"), std::string::npos);
  const auto model = Model::Open(kTiny + "llama", {.context = 16, .threads = 1}, &error);
  ASSERT_NE(model, nullptr) << error;
  GenerateRequest request;
  request.prompt = std::string(200, 'a');
  request.raw = true;
  Answer answer;
  EXPECT_FALSE(model->Generate(request, &answer, &error));
  EXPECT_NE(error.find("context"), std::string::npos);
  std::vector<float> logprobs;
  EXPECT_FALSE(model->Score({1, 1000000}, &logprobs, &error));
  EXPECT_NE(error.find("1000000"), std::string::npos);
}

}  // namespace
}  // namespace galen::api
