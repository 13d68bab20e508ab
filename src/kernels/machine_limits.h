// What this machine can do at best: the yardsticks of every speed figure.
#pragma once

#include <string>
#include <vector>

#include "base/threads.h"
#include "kernels/isa.h"

namespace galen {

struct RateLimits {
  Isa isa = Isa::kRef;
  double fp32_gflops = 0;
  double bf16_gflops = 0;  // 0: the instruction set has no bf16 products
  double int8_gops = 0;
};

struct MachineLimits {
  std::vector<RateLimits> rates;  // one per supported instruction set but ref, ascending
  double read_gb_per_s = 0;
  std::string read_pattern;  // of the fastest
};

// Arithmetic with all workers of the pool, a few tenths of a second each.
std::vector<RateLimits> MeasureRates(ThreadPool& pool);
// Best read bandwidth over several patterns (streams, prefetch distance) of the widest loads on 512
// MiB of huge pages.
double MeasureReadBandwidth(ThreadPool& pool, std::string* pattern);

}  // namespace galen
