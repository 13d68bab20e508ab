#include "engine/draft_length.h"

#include <gtest/gtest.h>

#include <cmath>

namespace galen {
namespace {

// Steps of a machine on which one takes `step` seconds and `row` for each of its rows.
DraftLength Machine(double step, double row, int64_t most_rows = 7) {
  DraftLength length;
  for (int64_t i = 0; i < 200; ++i) {
    const int64_t rows = 1 + i % most_rows;
    length.AddStep(step + row * static_cast<double>(rows), rows);
  }
  return length;
}

// Tokens a second with n guesses, by the definition.
double Speed(int64_t n, double rate, double step, double row, double guess) {
  double tokens = 0;
  for (int64_t i = 0; i <= n; ++i) tokens += std::pow(rate, static_cast<double>(i));
  return tokens / (step + row * static_cast<double>(1 + n) + guess * static_cast<double>(n));
}

TEST(DraftLength, LearnsWhatARowCosts) {
  const DraftLength length = Machine(0.010, 0.002);
  EXPECT_NEAR(length.RowSeconds(), 0.002, 1e-4);
  EXPECT_NEAR(length.StepSeconds(1), 0.012, 3e-4);
  EXPECT_NEAR(length.StepSeconds(7), 0.024, 3e-4);
}

TEST(DraftLength, ChoosesWhatMakesMostTokens) {
  for (const double row : {0.0, 0.0005, 0.002, 0.005, 0.02}) {
    const DraftLength length = Machine(0.010, row);
    for (const double guess : {0.0, 0.003}) {
      for (const double rate : {0.05, 0.3, 0.5, 0.7, 0.9, 0.99}) {
        const int64_t chosen = length.Choose(rate, guess, 6, 1, 1);
        for (int64_t n = 0; n <= 6; ++n) {
          EXPECT_GT(Speed(chosen, rate, 0.010, row, guess),
                    0.95 * Speed(n, rate, 0.010, row, guess))
              << row << " " << guess << " " << rate << " " << n;
        }
      }
    }
  }
}

TEST(DraftLength, FreeRowsAreTakenAndDearOnesAreNot) {
  EXPECT_EQ(Machine(0.010, 0).Choose(0.7, 0, 6, 1, 1), 6);
  EXPECT_EQ(Machine(0, 0.010).Choose(0.8, 0, 6, 1, 1), 0);
  EXPECT_EQ(Machine(0.010, 0).Choose(0.9, 0.020, 6, 1, 1), 0);  // a drafter as slow as the model
  EXPECT_EQ(Machine(0.010, 0.002).Choose(1, 0, 6, 1, 1), 6);
  EXPECT_EQ(Machine(0.010, 0.002).Choose(0.9, 0, 0, 1, 1), 0);
}

// In a step that has many rows already, a token costs less, and a guess must be better.
TEST(DraftLength, OtherRowsMakeGuessesLessWorthIt) {
  const DraftLength length = Machine(0.010, 0.003);
  EXPECT_GT(length.Choose(0.6, 0, 6, 1, 1), length.Choose(0.6, 0, 6, 7, 7));
}

TEST(DraftLength, WhereNothingIsKnownALittleIsTried) {
  const DraftLength length;
  EXPECT_GE(length.Choose(0.5, 0, 6, 1, 1), 1);
  EXPECT_LE(length.Choose(0.5, 0, 6, 1, 1), 4);
  DraftLength same;  // steps of one size say nothing about rows
  for (int i = 0; i < 100; ++i) same.AddStep(0.014, 7);
  EXPECT_GT(same.RowSeconds(), 0);
  EXPECT_EQ(same.Choose(0.98, 0, 6, 1, 1), 6);
}

// Something else had the processor for a while.
TEST(DraftLength, OneSlowStepIsForgotten) {
  DraftLength length = Machine(0.010, 0.001);
  length.AddStep(5.0, 7);
  for (int64_t i = 0; i < 60; ++i) length.AddStep(0.010 + 0.001 * (1 + i % 7), 1 + i % 7);
  EXPECT_NEAR(length.RowSeconds(), 0.001, 3e-4);
}

TEST(GuessRate, FollowsWhatHappens) {
  GuessRate rate;
  for (int i = 0; i < 20; ++i) rate.Add(6, false);
  EXPECT_GT(rate.rate(), 0.99);
  for (int i = 0; i < 40; ++i) rate.Add(0, true);
  EXPECT_LT(rate.rate(), 0.05);
  for (int i = 0; i < 100; ++i) rate.Fade();
  EXPECT_GT(rate.rate(), 0.5);
  GuessRate half;
  for (int i = 0; i < 200; ++i) half.Add(i % 2, i % 2 == 0);
  EXPECT_NEAR(half.rate(), 0.5, 0.1);
}

}  // namespace
}  // namespace galen
