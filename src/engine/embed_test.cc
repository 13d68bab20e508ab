#include "engine/embed.h"

#include <cmath>

#include "engine/engine_test_util.h"

namespace galen {
namespace {

class EmbedTest : public testing::TestWithParam<const char*> {
 protected:
  EmbedTest() : kernels_(&KernelsFor(*ChooseIsa())) {
    test_ = MakeTestModel(TestConfig(GetParam()), *kernels_, threads_);
  }
  std::vector<std::vector<float>> Embed(const std::vector<std::vector<int32_t>>& texts,
                                        Pooling pooling, int64_t chunk) {
    PassOptions options;
    options.runner.max_batch_tokens = chunk;
    const auto vectors =
        EmbedTexts(*test_.model, *kernels_, threads_, options, pooling, texts, nullptr);
    EXPECT_TRUE(vectors.ok()) << vectors.status().message();
    return vectors.ok() ? *vectors : std::vector<std::vector<float>>();
  }

  ThreadPool threads_{2};
  const KernelTable* kernels_;
  TestModel test_;
};

TEST_P(EmbedTest, ChunksAndNeighboursChangeNothing) {
  const std::vector<std::vector<int32_t>> texts = {TestTokens(100, 1), TestTokens(1, 2),
                                                   TestTokens(37, 3)};
  for (const Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    const auto all = Embed(texts, pooling, 128);
    ASSERT_EQ(all.size(), texts.size());
    EXPECT_EQ(Embed(texts, pooling, 16), all);
    for (size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(Embed({texts[i]}, pooling, 128), (std::vector<std::vector<float>>{all[i]}));
  }
  // One token is its own mean.
  EXPECT_EQ(Embed({texts[1]}, Pooling::kMean, 8), Embed({texts[1]}, Pooling::kLast, 8));
  EXPECT_NE(Embed({texts[0]}, Pooling::kMean, 8), Embed({texts[0]}, Pooling::kLast, 8));
}

TEST_P(EmbedTest, ErrorsAndEndings) {
  const PassOptions options;
  const auto embed = [&](std::vector<int32_t> text, const std::function<bool()>& between) {
    const std::vector<std::vector<int32_t>> texts = {std::move(text)};
    return EmbedTexts(*test_.model, *kernels_, threads_, options, Pooling::kMean, texts, between)
        .status()
        .code();
  };
  EXPECT_EQ(embed({}, nullptr), StatusCode::kInvalidArgument);
  EXPECT_EQ(embed({-1}, nullptr), StatusCode::kInvalidArgument);
  EXPECT_EQ(embed({1 << 30}, nullptr), StatusCode::kInvalidArgument);
  EXPECT_EQ(embed({1, 2}, [] { return false; }), StatusCode::kCancelled);
}

TEST_P(EmbedTest, KeptMemoryChangesNothing) {
  PassOptions options;
  options.runner.max_batch_tokens = 16;
  Embedder embedder(*test_.model, *kernels_, threads_, options);
  const auto again = [&](const std::vector<std::vector<int32_t>>& texts, Pooling pooling) {
    return *embedder.Embed(pooling, kAllAdapters, texts, nullptr);
  };
  const std::vector<std::vector<int32_t>> one = {TestTokens(40, 1)},
                                          two = {TestTokens(9, 2), TestTokens(70, 3)};
  for (const Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    EXPECT_EQ(again(one, pooling), Embed(one, pooling, 16));
    EXPECT_EQ(again(two, pooling), Embed(two, pooling, 16));
    // Ended in the middle, and refused: what comes next does not see it.
    EXPECT_EQ(embedder.Embed(pooling, kAllAdapters, two, [] { return false; }).status().code(),
              StatusCode::kCancelled);
    const std::vector<std::vector<int32_t>> bad = {{1, -1}};
    EXPECT_FALSE(embedder.Embed(pooling, kAllAdapters, bad, nullptr).ok());
    EXPECT_EQ(again(one, pooling), Embed(one, pooling, 16));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EmbedTest, testing::Values("llama", "gemma3"));

TEST(NormalizeVector, ToLengthOne) {
  std::vector<float> v = {3, 4}, zero = {0, 0};
  NormalizeVector(v);
  NormalizeVector(zero);
  EXPECT_FLOAT_EQ(v[0], 0.6f);
  EXPECT_FLOAT_EQ(v[1], 0.8f);
  EXPECT_EQ(zero, (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace galen
