#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

namespace galen {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TokenChoice Draw(const SamplingParams& params, std::vector<float> logits,
                 const std::vector<int32_t>& history = {0}, size_t answer_begin = 1) {
  return Sample(params, logits, history, answer_begin);
}

// Relative frequencies over many positions of one seed.
std::map<int32_t, double> Frequencies(const SamplingParams& params,
                                      const std::vector<float>& logits, int draws = 20000) {
  std::map<int32_t, double> counts;
  std::vector<int32_t> history;
  for (int i = 0; i < draws; ++i) {
    history.push_back(0);
    counts[Draw(params, logits, history, history.size()).token] += 1.0 / draws;
  }
  return counts;
}

// log of probabilities 0.5, 0.3, 0.15, 0.05, in another order, shifted.
const std::vector<float> kLogits = {std::log(0.15f) + 3, std::log(0.5f) + 3, std::log(0.05f) + 3,
                                    std::log(0.3f) + 3};
// Five standard deviations of 20,000 draws.
constexpr double kTolerance = 0.018;

TEST(Sampler, GreedyTakesTheLargestAndTheFirstOfEquals) {
  EXPECT_EQ(Draw({}, {1, 3, 2}).token, 1);
  EXPECT_EQ(Draw({}, {1, 3, 3}).token, 1);
}

TEST(Sampler, TemperatureOneDrawsTheDistribution) {
  SamplingParams params;
  params.temperature = 1;
  auto f = Frequencies(params, kLogits);
  EXPECT_NEAR(f[0], 0.15, kTolerance);
  EXPECT_NEAR(f[1], 0.5, kTolerance);
  EXPECT_NEAR(f[2], 0.05, kTolerance);
  EXPECT_NEAR(f[3], 0.3, kTolerance);
}

TEST(Sampler, TemperatureSharpens) {
  SamplingParams params;
  params.temperature = 0.5f;  // squares the probabilities: 0.25, 0.09, 0.0225, 0.0025 of 0.365
  auto f = Frequencies(params, kLogits);
  EXPECT_NEAR(f[1], 0.25 / 0.365, kTolerance);
  EXPECT_NEAR(f[3], 0.09 / 0.365, kTolerance);
  EXPECT_NEAR(f[0], 0.0225 / 0.365, kTolerance);
  params.temperature = 1e-30f;  // no overflow turns into a tie
  EXPECT_EQ(Draw(params, {50, 60, 70, 60}).token, 2);
}

TEST(Sampler, TopK) {
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 2;
  auto f = Frequencies(params, kLogits);
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 0.5 / 0.8, kTolerance);
  EXPECT_NEAR(f[3], 0.3 / 0.8, kTolerance);
  params.top_k = 1;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 1u);
  params.top_k = 100;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 4u);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  SamplingParams params;
  params.temperature = 1;
  params.top_p = 0.6f;
  auto f = Frequencies(params, kLogits);
  EXPECT_EQ(f.size(), 2u);
  EXPECT_NEAR(f[1], 0.5 / 0.8, kTolerance);
  params.top_p = 0.49f;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 1u);
  params.top_p = 0.9f;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 3u);
  params.top_p = 1e-6f;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 1u);
  // Counted among what top_k left: 0.5 of 0.8 is enough for 0.6.
  params.top_p = 0.6f;
  params.top_k = 2;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 1u);
}

TEST(Sampler, MinP) {
  SamplingParams params;
  params.temperature = 1;
  params.min_p = 0.2f;  // of 0.5: what lies below 0.1 goes
  auto f = Frequencies(params, kLogits);
  EXPECT_EQ(f.size(), 3u);
  EXPECT_EQ(f.count(2), 0u);
  params.min_p = 1.0f;
  EXPECT_EQ(Frequencies(params, kLogits).size(), 1u);
}

TEST(Sampler, FiltersKeepTheMostLikelyOfALargeVocabulary) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i) * 1.7f);
  std::vector<int32_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  std::sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  SamplingParams params;
  params.temperature = 0.1f;
  params.top_p = 0.3f;
  double total = 0, sum = 0;
  for (float x : logits) total += std::exp(x / 0.1);
  std::set<int32_t> expected;
  for (int32_t id : ids) {
    if (sum >= 0.3 * total) break;
    sum += std::exp(logits[id] / 0.1);
    expected.insert(id);
  }
  ASSERT_GT(expected.size(), 50u);
  ASSERT_LT(expected.size(), 2000u);
  int drawn = 0;
  for (const auto& [id, share] : Frequencies(params, logits, 2000)) {
    EXPECT_TRUE(expected.contains(id)) << id;
    ++drawn;
  }
  EXPECT_GT(drawn, static_cast<int>(expected.size()) / 2);
}

TEST(Sampler, RepetitionPenaltyCountsPromptAndAnswerOnce) {
  SamplingParams params;
  params.repetition_penalty = 2;
  EXPECT_EQ(Draw(params, {4, 3, 1}, {0}).token, 1);           // 4 -> 2
  EXPECT_EQ(Draw(params, {4, 1.5f, 1}, {0, 0, 0}).token, 0);  // once, however often it occurs
  EXPECT_EQ(Draw(params, {-1, -1.5f, -9}, {0}).token, 1);     // -1 -> -2
  EXPECT_EQ(Draw(params, {4, 3, 1}, {2, 0}, 1).token, 1);     // in the answer as well
}

TEST(Sampler, FrequencyAndPresencePenaltiesCountTheAnswerOnly) {
  SamplingParams params;
  params.frequency_penalty = 1;
  EXPECT_EQ(Draw(params, {5, 3.5f}, {0, 0, 0}, 3).token, 0);
  EXPECT_EQ(Draw(params, {5, 3.5f}, {0, 0, 0}, 2).token, 0);  // 5 - 1
  EXPECT_EQ(Draw(params, {5, 3.5f}, {0, 0, 0}, 1).token, 1);  // 5 - 2
  params.frequency_penalty = 0;
  params.presence_penalty = 1;
  EXPECT_EQ(Draw(params, {5, 3.5f}, {0, 0, 0}, 0).token, 0);  // 5 - 1, once
  params.presence_penalty = 2;
  EXPECT_EQ(Draw(params, {5, 3.5f}, {0, 0, 0}, 0).token, 1);
  params.presence_penalty = -2;
  EXPECT_EQ(Draw(params, {5, 6}, {0}, 0).token, 0);  // negative ones encourage
}

TEST(Sampler, LogitBias) {
  SamplingParams params;
  params.logit_bias = {{0, 2.5f}};
  EXPECT_EQ(Draw(params, {1, 3}).token, 0);
  params.logit_bias = {{1, -kInf}};
  EXPECT_EQ(Draw(params, {1, 3}).token, 0);
  params.logit_bias = {{2, kInf}};
  EXPECT_EQ(Draw(params, {1, 3, -5}).token, 2);
  params.temperature = 1;
  EXPECT_EQ(Frequencies(params, {1, 3, -5}).size(), 1u);
  params.logit_bias = {{1, -kInf}};
  EXPECT_EQ(Frequencies(params, {1, 9, 1}).count(1), 0u);
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  SamplingParams params;
  params.logprobs = 2;
  params.temperature = 0.3f;
  params.top_k = 1;
  params.logit_bias = {{2, 50.0f}};
  const TokenChoice choice = Draw(params, kLogits);
  EXPECT_EQ(choice.token, 2);
  EXPECT_NEAR(choice.logprob, std::log(0.05), 1e-5);
  ASSERT_EQ(choice.top.size(), 2u);
  EXPECT_EQ(choice.top[0].first, 1);
  EXPECT_NEAR(choice.top[0].second, std::log(0.5), 1e-5);
  EXPECT_EQ(choice.top[1].first, 3);
  EXPECT_NEAR(choice.top[1].second, std::log(0.3), 1e-5);
  params.logprobs = 0;
  EXPECT_TRUE(Draw(params, kLogits).top.empty());
  EXPECT_NEAR(Draw(params, kLogits).logprob, std::log(0.05), 1e-5);
  params.logprobs = 100;
  EXPECT_EQ(Draw(params, kLogits).top.size(), 4u);
}

TEST(Sampler, ADrawDependsOnSeedAndPositionOnly) {
  SamplingParams params;
  params.temperature = 2;
  params.seed = 7;
  const std::vector<float> logits(100, 0.0f);
  std::vector<int32_t> history = {1, 2, 3};
  const int32_t token = Draw(params, logits, history).token;
  EXPECT_EQ(Draw(params, logits, {9, 9, 9}).token, token);
  int same_seed = 0, same_position = 0;
  for (int i = 0; i < 200; ++i) {
    SamplingParams other = params;
    other.seed = 1000 + static_cast<uint64_t>(i);
    same_position += Draw(other, logits, history).token == token;
    std::vector<int32_t> longer(static_cast<size_t>(4 + i), 0);
    same_seed += Draw(params, logits, longer).token == token;
  }
  EXPECT_LT(same_position, 12);  // 2 expected of 200 draws of 100
  EXPECT_LT(same_seed, 12);
}

TEST(Sampler, NotANumberIsNeverChosen) {
  for (float temperature : {0.0f, 1.0f}) {
    for (int filter = 0; filter < 4; ++filter) {
      SamplingParams params;
      params.temperature = temperature;
      params.logprobs = 5;
      if (filter == 1) params.top_k = 3;
      if (filter == 2) params.top_p = 0.9f;
      if (filter == 3) params.min_p = 0.1f;
      std::vector<float> logits(64, kNan);
      logits[17] = 1;
      logits[40] = -kInf;
      EXPECT_EQ(Draw(params, logits).token, 17);
      EXPECT_EQ(Draw(params, logits).top[0].first, 17);
      logits[17] = kNan;
      const int32_t token = Draw(params, logits).token;
      EXPECT_GE(token, 0);
      EXPECT_LT(token, 64);
    }
  }
}

TEST(Sampler, LogSumExp) {
  EXPECT_NEAR(LogSumExp(kLogits), 3, 1e-6);
  EXPECT_NEAR(LogSumExp(std::vector<float>{1000, 1000}), 1000 + std::log(2.0), 1e-3);
  EXPECT_EQ(LogSumExp(std::vector<float>{-kInf, -kInf}), -kInf);
}

TEST(Sampler, EveryFieldIsChecked) {
  const struct {
    const char* field;
    std::function<void(SamplingParams*)> damage;
  } cases[] = {
      {"temperature", [](SamplingParams* p) { p->temperature = -0.1f; }},
      {"temperature", [](SamplingParams* p) { p->temperature = kNan; }},
      {"temperature", [](SamplingParams* p) { p->temperature = kInf; }},
      {"top_k", [](SamplingParams* p) { p->top_k = -1; }},
      {"top_p", [](SamplingParams* p) { p->top_p = 0; }},
      {"top_p", [](SamplingParams* p) { p->top_p = 1.01f; }},
      {"top_p", [](SamplingParams* p) { p->top_p = kNan; }},
      {"min_p", [](SamplingParams* p) { p->min_p = -0.5f; }},
      {"min_p", [](SamplingParams* p) { p->min_p = 1.5f; }},
      {"repetition_penalty", [](SamplingParams* p) { p->repetition_penalty = 0; }},
      {"repetition_penalty", [](SamplingParams* p) { p->repetition_penalty = kInf; }},
      {"frequency_penalty", [](SamplingParams* p) { p->frequency_penalty = 11; }},
      {"frequency_penalty", [](SamplingParams* p) { p->frequency_penalty = kNan; }},
      {"presence_penalty", [](SamplingParams* p) { p->presence_penalty = -11; }},
      {"logprobs", [](SamplingParams* p) { p->logprobs = -2; }},
      {"logprobs", [](SamplingParams* p) { p->logprobs = 101; }},
      {"logit_bias",
       [](SamplingParams* p) {
         p->logit_bias = {{100, 1.0f}};
       }},
      {"logit_bias",
       [](SamplingParams* p) {
         p->logit_bias = {{-1, 1.0f}};
       }},
      {"logit_bias",
       [](SamplingParams* p) {
         p->logit_bias = {{1, kNan}};
       }},
  };
  EXPECT_TRUE(CheckSamplingParams({}, 100).ok());
  for (const auto& c : cases) {
    SamplingParams params;
    c.damage(&params);
    const Status status = CheckSamplingParams(params, 100);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.field;
    EXPECT_NE(status.message().find(c.field), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace galen
