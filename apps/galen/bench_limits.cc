#include "bench_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/files.h"
#include "kernels/machine_limits.h"

namespace galen::cli {

Limits MeasureLimits(ThreadPool& pool, Isa isa, Json* machine) {
  Limits limits;
  for (const RateLimits& rates : MeasureRates(pool)) {
    (*machine)["isas"][std::string(IsaName(rates.isa))] = {{"fp32_gflops", rates.fp32_gflops},
                                                           {"bf16_gflops", rates.bf16_gflops},
                                                           {"int8_gops", rates.int8_gops}};
    if (rates.isa > isa) continue;
    limits = {std::max(rates.bf16_gflops, limits.bf16), rates.fp32_gflops, rates.int8_gops, 0};
  }
  return limits;
}

int64_t PeakResidentBytes() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{1024} * usage.ru_maxrss;
}

int64_t ResidentBytes() {
  const Result<std::string> text = ReadFile("/proc/self/statm", 4096);
  if (!text.ok()) return 0;
  long long total = 0, resident = 0;
  if (std::sscanf(text->c_str(), "%lld %lld", &total, &resident) != 2) return 0;
  return resident * 4096;
}

}  // namespace galen::cli
