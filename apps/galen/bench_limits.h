// What the verbs of `galen bench` share: the machine's limits and the process's memory.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "base/threads.h"
#include "kernels/isa.h"

namespace galen::cli {

struct Limits {
  double bf16 = 0, fp32 = 0, int8 = 0, read = 0;  // GFLOP/s, GFLOP/s, GOP/s, GB/s
};

// The rates of every instruction set go into (*machine)["isas"]; those that `isa` may use are
// returned.
Limits MeasureLimits(ThreadPool& pool, Isa isa, Json* machine);

int64_t PeakResidentBytes();
int64_t ResidentBytes();

}  // namespace galen::cli
