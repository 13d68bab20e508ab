#include "engine/score.h"

#include <cmath>

#include "engine/engine_test_util.h"
#include "engine/sampler.h"

namespace galen {
namespace {

class ScoreTest : public testing::Test {
 protected:
  const KernelTable& kernels_ = KernelsFor(SupportedIsas().back());
  ThreadPool threads_{2};
};

// The same numbers as one Forward over the whole text in the variable-length form, up to the order
// of sums in attention.
TEST_F(ScoreTest, EqualsOneForwardOverTheText) {
  for (const char* architecture : {"llama", "gemma3"}) {
    const TestModel test = MakeTestModel(TestConfig(architecture), kernels_, threads_, DType::kF32);
    const std::vector<int32_t> tokens = TestTokens(150, 3);
    ScoreOptions options;
    options.runner.compute = Compute::kFp32;
    options.runner.max_batch_tokens = 48;
    options.kv_type = KvType::kF32;
    const auto logprobs = ScoreTokens(*test.model, kernels_, threads_, options, tokens);
    ASSERT_TRUE(logprobs.ok()) << logprobs.status().message();
    ASSERT_EQ(logprobs->size(), 149u);
    Arena arena = *Arena::Create(int64_t{256} << 20);
    ExecContext ctx;
    ctx.kernels = &kernels_;
    ctx.pool = &threads_;
    ctx.arena = &arena;
    ctx.compute = Compute::kFp32;
    std::vector<int32_t> positions(150);
    for (int i = 0; i < 150; ++i) positions[i] = i;
    const SequenceSpan span{0, 150, 0, nullptr};
    Batch batch;
    batch.tokens = tokens;
    batch.positions = positions;
    batch.spans = {&span, 1};
    batch.logit_rows = positions;
    const Tensor logits = test.model->Forward(ctx, batch);
    for (int64_t i = 0; i < 149; ++i) {
      const std::span<const float> row(logits.row(i), 101);
      EXPECT_NEAR((*logprobs)[i], row[tokens[i + 1]] - LogSumExp(row), 2e-5)
          << architecture << " " << i;
    }
  }
}

TEST_F(ScoreTest, ChunksDoNotChangeBits) {
  const TestModel test = MakeTestModel(TestConfig("gemma3"), kernels_, threads_);
  const std::vector<int32_t> tokens = TestTokens(200, 4);
  std::vector<float> whole;
  for (int64_t chunk : {512, 200, 64, 33, 5, 1}) {
    ScoreOptions options;
    options.runner.batch_invariant = true;
    options.runner.max_batch_tokens = chunk;
    const auto logprobs = ScoreTokens(*test.model, kernels_, threads_, options, tokens);
    ASSERT_TRUE(logprobs.ok());
    if (whole.empty()) whole = *logprobs;
    EXPECT_EQ(*logprobs, whole) << chunk;
  }
}

TEST_F(ScoreTest, AModeAgainstItselfCostsNothing) {
  const TestModel test = MakeTestModel(TestConfig("llama"), kernels_, threads_, DType::kQ8_0);
  const std::vector<int32_t> tokens = TestTokens(70, 5);
  ScoreOptions options, fp32, int8;
  fp32.runner.compute = Compute::kFp32;
  fp32.kv_type = KvType::kF32;
  fp32.runner.max_batch_tokens = 16;
  int8.runner.compute = Compute::kInt8;
  const auto same = CompareScores(*test.model, kernels_, threads_, options, options, tokens);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->kl_mean, 0);
  EXPECT_EQ(same->greedy_agreement, 1);
  EXPECT_EQ(same->logprobs, same->other_logprobs);
  EXPECT_EQ(same->logprobs, *ScoreTokens(*test.model, kernels_, threads_, options, tokens));
  const auto against = CompareScores(*test.model, kernels_, threads_, options, fp32, tokens);
  ASSERT_TRUE(against.ok());
  EXPECT_GT(against->kl_mean, 0);
  EXPECT_LT(against->kl_mean, 1e-3);
  EXPECT_GT(against->greedy_agreement, 0.9);
  const auto coarse = CompareScores(*test.model, kernels_, threads_, int8, fp32, tokens);
  ASSERT_TRUE(coarse.ok());
  EXPECT_GT(coarse->kl_mean, against->kl_mean);
}

TEST_F(ScoreTest, Refusals) {
  const TestModel test = MakeTestModel(TestConfig("llama"), kernels_, threads_);
  EXPECT_EQ(ScoreTokens(*test.model, kernels_, threads_, {}, {}).status().code(),
            StatusCode::kInvalidArgument);
  for (int32_t bad : {-1, 101}) {
    const std::vector<int32_t> tokens = {1, bad};
    const auto result = ScoreTokens(*test.model, kernels_, threads_, {}, tokens);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(result.status().message().find(std::to_string(bad)), std::string::npos);
  }
  const auto result = ScoreTokens(*test.model, kernels_, threads_, {}, TestTokens(1025, 1));
  EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(result.status().message().find("1024"), std::string::npos);
  EXPECT_TRUE(ScoreTokens(*test.model, kernels_, threads_, {}, std::vector<int32_t>{5})->empty());
}

}  // namespace
}  // namespace galen
