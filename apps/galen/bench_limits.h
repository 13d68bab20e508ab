// What the verbs of `galen bench` share: the machine's limits and the process's memory.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "base/threads.h"
#include "kernels/isa.h"

namespace galen::cli {

struct Limits {
  double bf16 = 0, fp32 = 0, int8 = 0;  // GFLOP/s, GFLOP/s, GOP/s
};

// The rates that `isa` may use, which go into *machine as well, beside those of every instruction
// set. Called again with the same object: the higher rates count, since the clock drifts.
Limits MeasureLimits(ThreadPool& pool, Isa isa, Json* machine);

// Of this process; the peak since ResetPeakResidentBytes, where the system can forget it.
int64_t ResidentBytes();
int64_t PeakResidentBytes();
void ResetPeakResidentBytes();

double Median(std::vector<double> values);

}  // namespace galen::cli
