#include "bench_limits.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/files.h"
#include "kernels/machine_limits.h"

namespace galen::cli {

Limits MeasureLimits(ThreadPool& pool, Isa isa, Json* machine) {
  Limits limits;
  for (const RateLimits& rates : MeasureRates(pool)) {
    Json& best = (*machine)["isas"][std::string(IsaName(rates.isa))];
    if (best.is_null()) best = Json::object();
    const auto keep = [&best](const char* name, double rate) {
      return (best[name] = std::max(best.value(name, 0.0), rate)).get<double>();
    };
    const double bf16 = keep("bf16_gflops", rates.bf16_gflops),
                 fp32 = keep("fp32_gflops", rates.fp32_gflops);
    const double int8 = keep("int8_gops", rates.int8_gops);
    if (rates.isa <= isa) limits = {std::max(bf16, limits.bf16), fp32, int8};
  }
  (*machine)["isa"] = IsaName(isa);
  (*machine)["bf16_gflops"] = limits.bf16;
  (*machine)["fp32_gflops"] = limits.fp32;
  (*machine)["int8_gops"] = limits.int8;
  return limits;
}

namespace {

// A field of /proc/self/status in bytes; 0 if it is not there.
int64_t StatusBytes(const char* field) {
  const Result<std::string> text = ReadFile("/proc/self/status", 65536);
  if (!text.ok()) return 0;
  const size_t at = text->find(field);
  long long kilobytes = 0;
  if (at == std::string::npos || std::sscanf(text->c_str() + at, "%*[^0-9]%lld", &kilobytes) != 1)
    return 0;
  return 1024 * kilobytes;
}

}  // namespace

int64_t ResidentBytes() { return StatusBytes("VmRSS:"); }
int64_t PeakResidentBytes() { return StatusBytes("VmHWM:"); }

void ResetPeakResidentBytes() {
  if (std::FILE* file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace galen::cli
