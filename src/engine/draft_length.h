// How many guesses of the next tokens a step should check. A guess that is right saves a step, one
// that is wrong costs a row, and rows are not free: where weights stay in cache or memory is fast,
// seven of them take three times as long as one. Learns from the steps what a row costs, and from
// a sequence's guesses how often they are right. Greedy answers do not depend on it. Of one thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace galen {

// How often guesses for one sequence are right.
class GuessRate {
 public:
  double rate() const { return rate_; }
  // right: guesses that were; wrong: whether the one behind them was not.
  void Add(int64_t right, bool wrong) {
    for (int64_t i = 0; i < right; ++i) rate_ += kShare * (1 - rate_);
    if (wrong) rate_ -= kShare * rate_;
  }
  // A step has passed without any. What is known fades, so that they are tried again.
  void Fade() { rate_ += kFade * (1 - rate_); }

 private:
  static constexpr double kUnknown = 0.5;
  static constexpr double kShare = 0.1;  // of the newest guess
  static constexpr double kFade = 0.01;

  double rate_ = kUnknown;
};

class DraftLength {
 public:
  // A step without prompts took so long for so many rows.
  void AddStep(double seconds, int64_t rows) {
    if (weight_ > 0) seconds = std::min(seconds, kMostAbove * seconds_ / weight_);
    const double r = static_cast<double>(rows);
    weight_ = kKeep * weight_ + 1;
    rows_ = kKeep * rows_ + r;
    seconds_ = kKeep * seconds_ + seconds;
    rows_rows_ = kKeep * rows_rows_ + r * r;
    rows_seconds_ = kKeep * rows_seconds_ + r * seconds;
  }
  // Seconds that a row adds to a step: the slope of a line through the steps, of which the older
  // count less. Where they all had about the same number of rows, it is taken for a seventh.
  double RowSeconds() const {
    if (weight_ <= 0) return 0;
    const double rows = rows_ / weight_, seconds = seconds_ / weight_;
    const double variance = std::max(0.0, rows_rows_ / weight_ - rows * rows);
    const double covariance = rows_seconds_ / weight_ - rows * seconds;
    const double unknown = seconds / (rows + kRowsOfAStep);
    const double slope = (covariance + kDoubt * unknown) / (variance + kDoubt);
    return std::clamp(slope, 0.0, seconds / rows);
  }
  // Of a step of so many rows.
  double StepSeconds(double rows) const {
    if (weight_ <= 0) return (rows + kRowsOfAStep) / (1 + kRowsOfAStep);
    return seconds_ / weight_ + RowSeconds() * (rows - rows_ / weight_);
  }

  // Guesses, at most `most`, with which a step makes most tokens in its time. rate: of them that
  // are right; guess_seconds: to make one; rows, tokens: that the step has without them, and that
  // it makes of these.
  int64_t Choose(double rate, double guess_seconds, int64_t most, double rows,
                 double tokens) const {
    const double row = weight_ > 0 ? RowSeconds() : 1 / (1 + kRowsOfAStep);
    double seconds = std::max(StepSeconds(rows), 1e-9);
    double best = tokens / seconds, right = 1;
    int64_t chosen = 0;
    for (int64_t n = 1; n <= most; ++n) {
      right *= rate;
      tokens += right;
      seconds += row + guess_seconds;
      if (tokens / seconds <= best) continue;
      best = tokens / seconds;
      chosen = n;
    }
    return chosen;
  }

 private:
  static constexpr double kKeep = 0.95;      // of what is known, from step to step
  static constexpr double kMostAbove = 3;    // the mean: something else held that step up
  static constexpr double kRowsOfAStep = 6;  // what a step costs in rows, where it is not known
  static constexpr double kDoubt = 0.25;     // variance of rows below which a slope says little

  // Sums in which older steps fade.
  double weight_ = 0, rows_ = 0, seconds_ = 0, rows_rows_ = 0, rows_seconds_ = 0;
};

}  // namespace galen
