// `galen bench --shape` of an image tower.
#pragma once

#include <cstdint>
#include <string>

#include "session.h"

namespace galen::cli {

struct TowerBench {
  std::string shape;
  int64_t batch = 1;
  int repeat = 3;
};

// Prints result `encode_image`: seconds of one image, the median of the repeats.
Status BenchTower(const TowerBench& bench, const ModelOptions& options);

}  // namespace galen::cli
