#include "train/image_text/class_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

namespace galen {
namespace {

// Scores that are equal, and how many of each kind have them; largest first.
struct ScoreGroup {
  float score = 0;
  int64_t positives = 0, negatives = 0;
};

struct Groups {
  std::vector<ScoreGroup> groups;
  int64_t positives = 0, negatives = 0;
};

Groups GroupScores(std::span<const float> scores, std::span<const int8_t> labels) {
  std::vector<std::pair<float, bool>> known;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (labels[i] == 0 || labels[i] == 1) known.emplace_back(scores[i], labels[i] == 1);
  }
  std::sort(known.begin(), known.end(), std::greater<>());
  Groups all;
  for (const auto& [score, positive] : known) {
    if (all.groups.empty() || all.groups.back().score != score) all.groups.push_back({score});
    ++(positive ? all.groups.back().positives : all.groups.back().negatives);
    ++(positive ? all.positives : all.negatives);
  }
  return all;
}

double SigmoidOf(float logit) { return 1.0 / (1.0 + std::exp(-static_cast<double>(logit))); }

}  // namespace

std::optional<double> Auroc(std::span<const float> scores, std::span<const int8_t> labels) {
  const Groups all = GroupScores(scores, labels);
  if (all.positives == 0 || all.negatives == 0) return std::nullopt;
  int64_t above = 0, twice = 0;  // positives with a larger score; twice the pairs that are won
  for (const ScoreGroup& g : all.groups) {
    twice += g.negatives * (2 * above + g.positives);
    above += g.positives;
  }
  return static_cast<double>(twice) /
         (2.0 * static_cast<double>(all.positives) * static_cast<double>(all.negatives));
}

std::optional<double> ChooseThreshold(std::span<const float> logits, std::span<const int8_t> labels,
                                      const std::string& rule) {
  const Groups all = GroupScores(logits, labels);
  if (all.positives == 0 || all.negatives == 0) return std::nullopt;
  std::optional<double> best;
  double best_value = 0;
  int64_t right = 0, wrong = 0;  // positives and negatives at or above the candidate
  for (size_t i = 0; i < all.groups.size(); ++i) {
    right += all.groups[i].positives;
    wrong += all.groups[i].negatives;
    const double score = SigmoidOf(all.groups[i].score);
    const double below = i + 1 < all.groups.size() ? SigmoidOf(all.groups[i + 1].score) : 0.0;
    const double threshold = 0.5 * (score + below);
    // Whole numbers, or correctly rounded quotients of them: equal values are equal.
    const double value =
        rule == "f1"
            ? static_cast<double>(2 * right) / static_cast<double>(right + wrong + all.positives)
            : static_cast<double>(right * all.negatives - wrong * all.positives);
    const bool nearer = best.has_value() && value == best_value &&
                        std::abs(threshold - 0.5) < std::abs(*best - 0.5);
    if (best.has_value() && value <= best_value && !nearer) continue;
    best = threshold;
    best_value = value;
  }
  return best;
}

}  // namespace galen
