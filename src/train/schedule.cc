#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace galen {

double ScheduleFactor(std::string_view type, int64_t step, int64_t warmup, int64_t total) {
  if (step < warmup) {
    return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(warmup, 1));
  }
  if (type == "constant") return 1.0;
  const double rest = static_cast<double>(std::max<int64_t>(total - warmup, 1));
  if (type == "linear") return std::max(0.0, static_cast<double>(total - step) / rest);
  const double progress = static_cast<double>(step - warmup) / rest;
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
}

}  // namespace galen
