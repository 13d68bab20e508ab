// How many tokens of prompts a step may compute while answers wait for their next token. Learns
// from the steps what a token of a prompt costs (it costs more the longer the prompt is) and keeps
// the next step near a time. The bits of an answer do not depend on it: prompts have the same ones
// in whatever chunks they are computed. Of one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace galen {

class StepPace {
 public:
  // However slow they are: a row of the kernels' tiles costs little less than 16, and prompts must
  // get on.
  static constexpr int64_t kLeastTokens = 16;

  // seconds: of a step in which somebody waits for a token; 0: no limit.
  explicit StepPace(double seconds) : target_(seconds) {}

  int64_t PromptTokens() const {
    if (target_ <= 0) return std::numeric_limits<int64_t>::max();
    if (tokens_ <= 0) return kLeastTokens;  // nothing is known yet
    const double left = target_ - decode_;
    const double each = std::max(seconds_ / tokens_, 1e-9);
    return std::max(kLeastTokens, static_cast<int64_t>(std::max(left, 0.0) / each));
  }

  // A step took `seconds`; prompt_tokens: of prompts; answers: whether tokens of answers, too.
  void Add(double seconds, int64_t prompt_tokens, bool answers) {
    if (prompt_tokens == 0) {
      decode_ = decode_ == 0 ? seconds : decode_ + kShare * (seconds - decode_);
      return;
    }
    // The answers of this step took no longer than all of it: what is known of them cannot stay too
    // high where no step is without prompts.
    if (answers) decode_ = std::min(decode_, seconds);
    const double beside = answers ? std::min(decode_, kMostBeside * seconds) : 0;
    tokens_ = (1 - kShare) * tokens_ + static_cast<double>(prompt_tokens);
    seconds_ = (1 - kShare) * seconds_ + seconds - beside;
  }

 private:
  static constexpr double kShare = 0.3;       // of the newest step in what is known
  static constexpr double kMostBeside = 0.9;  // of a step, taken by answers: no prompt is free

  const double target_;
  double decode_ = 0;                // of a step without prompts
  double tokens_ = 0, seconds_ = 0;  // of prompts, sums in which older steps fade
};

}  // namespace galen
