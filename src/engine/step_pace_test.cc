#include "engine/step_pace.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(StepPace, WithoutATimeThereIsNoLimit) {
  StepPace pace(0);
  pace.Add(10, 512, false);
  EXPECT_GT(pace.PromptTokens(), int64_t{1} << 40);
}

TEST(StepPace, BeginsWithLittle) {
  EXPECT_EQ(StepPace(0.1).PromptTokens(), StepPace::kLeastTokens);
}

// A machine on which a step of answers takes 20 ms and a token of a prompt 1 ms.
TEST(StepPace, FillsTheTime) {
  StepPace pace(0.1);
  for (int i = 0; i < 50; ++i) {
    pace.Add(0.020, 0, true);
    const int64_t tokens = pace.PromptTokens();
    pace.Add(0.020 + 0.001 * static_cast<double>(tokens), tokens, true);
  }
  EXPECT_NEAR(static_cast<double>(pace.PromptTokens()), 80, 2);
  // Prompts alone, before anybody waits, say it as well.
  StepPace fresh(0.1);
  fresh.Add(0.512, 512, false);
  EXPECT_NEAR(static_cast<double>(fresh.PromptTokens()), 100, 1);
}

// Tokens far behind in a prompt cost more; one slow step (another program had the processor) must
// not count for long.
TEST(StepPace, Follows) {
  StepPace pace(0.1);
  for (int i = 0; i < 20; ++i) pace.Add(0.1, 100, true);
  EXPECT_NEAR(static_cast<double>(pace.PromptTokens()), 100, 2);
  for (int i = 0; i < 10; ++i) pace.Add(0.2, 100, true);
  EXPECT_LT(pace.PromptTokens(), 55);
  pace.Add(2.0, 50, true);
  EXPECT_LT(pace.PromptTokens(), 30);
  for (int i = 0; i < 15; ++i) pace.Add(0.1, 100, true);
  EXPECT_GT(pace.PromptTokens(), 80);
}

// One slow step of answers, and from then on prompts in every step: they get their time back.
TEST(StepPace, ForgetsASlowStepOfAnswers) {
  StepPace pace(0.1);
  pace.Add(0.020, 0, true);
  pace.Add(1.0, 0, true);
  pace.Add(0.020 + 0.016, 16, true);
  for (int i = 0; i < 50; ++i) {
    const int64_t tokens = pace.PromptTokens();
    pace.Add(0.020 + 0.001 * static_cast<double>(tokens), tokens, true);
  }
  EXPECT_GT(pace.PromptTokens(), 50);
}

TEST(StepPace, ASlowMachineStillGetsOn) {
  StepPace pace(0.1);
  pace.Add(0.3, 0, true);
  pace.Add(5, 16, true);
  EXPECT_EQ(pace.PromptTokens(), StepPace::kLeastTokens);
}

}  // namespace
}  // namespace galen
