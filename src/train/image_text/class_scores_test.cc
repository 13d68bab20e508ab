#include "train/image_text/class_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace galen {
namespace {

// Pair by pair, as the definition has it.
double ByPairs(const std::vector<float>& scores, const std::vector<int8_t>& labels) {
  double won = 0, pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      won += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
    }
  }
  return won / pairs;
}

TEST(ClassScores, AurocCountsPairsWithTies) {
  EXPECT_EQ(Auroc(std::vector<float>{3, 2, 1}, std::vector<int8_t>{1, 0, 0}), 1.0);
  EXPECT_EQ(Auroc(std::vector<float>{1, 2, 3}, std::vector<int8_t>{1, 0, 0}), 0.0);
  EXPECT_EQ(Auroc(std::vector<float>{1, 1, 1, 1}, std::vector<int8_t>{1, 0, 1, 0}), 0.5);
  EXPECT_EQ(Auroc(std::vector<float>{2, 1, 1}, std::vector<int8_t>{1, 1, 0}), 0.75);
  std::vector<float> scores;
  std::vector<int8_t> labels;
  uint32_t state = 7;
  for (int i = 0; i < 300; ++i) {
    state = state * 1664525u + 1013904223u;
    scores.push_back(static_cast<float>(state >> 24) / 8.0f - (state >> 20 & 3));  // many are equal
    labels.push_back(static_cast<int8_t>(
        static_cast<int>(state >> 12 & 3) - 1 > 1 ? -1 : static_cast<int>(state >> 12 & 3) - 1));
  }
  EXPECT_EQ(Auroc(scores, labels), ByPairs(scores, labels));
}

TEST(ClassScores, UnknownLabelsAreLeftOut) {
  EXPECT_EQ(Auroc(std::vector<float>{3, 9, 1}, std::vector<int8_t>{1, -1, 0}), 1.0);
  EXPECT_FALSE(Auroc(std::vector<float>{3, 9}, std::vector<int8_t>{1, -1}).has_value());
  EXPECT_FALSE(Auroc(std::vector<float>{3, 9}, std::vector<int8_t>{0, 0}).has_value());
  EXPECT_FALSE(ChooseThreshold(std::vector<float>{3}, std::vector<int8_t>{1}, "f1").has_value());
}

double Logit(double p) { return std::log(p / (1 - p)); }

TEST(ClassScores, ThresholdLiesBetweenScores) {
  std::vector<float> logits;
  for (const double p : {0.9, 0.8, 0.6, 0.4, 0.2}) logits.push_back(static_cast<float>(Logit(p)));
  // All positives and one negative, or one positive: 1 - 1/3 is more than 1/2.
  const std::vector<int8_t> labels = {1, 0, 1, 0, 0};
  EXPECT_NEAR(*ChooseThreshold(logits, labels, "youden"), 0.5, 1e-6);
  EXPECT_NEAR(*ChooseThreshold(logits, labels, "f1"), 0.5, 1e-6);
  // Rare positives: F1 takes fewer wrong ones along than Youden.
  const std::vector<float> many = {5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8};
  const std::vector<int8_t> rare = {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_GT(*ChooseThreshold(many, rare, "f1"), *ChooseThreshold(many, rare, "youden"));
}

TEST(ClassScores, OfEquallyGoodThresholdsTheMiddlingOne) {
  std::vector<float> logits;
  for (const double p : {0.9, 0.7, 0.6, 0.1}) logits.push_back(static_cast<float>(Logit(p)));
  // Between 0.9 and 0.7 and between 0.6 and 0.1 are as good: 0.8 and 0.35.
  EXPECT_NEAR(*ChooseThreshold(logits, std::vector<int8_t>{1, 0, 1, 0}, "youden"), 0.35, 1e-6);
}

}  // namespace
}  // namespace galen
