// What will be needed, before anything is loaded.
#pragma once

#include <cstdint>

#include "base/memory.h"
#include "base/status.h"

namespace galen {

struct MemoryPlan {
  int64_t weights = 0;
  int64_t kv_cache = 0;
  int64_t activations = 0;
  int64_t total() const { return weights + kv_cache + activations; }
};

// ResourceExhausted ("needs 3.1 GB (weights ..., cache ..., activations ...), 2.0 GB free; ...")
// unless the plan fits.
Status CheckMemory(const MemoryPlan& plan, int64_t available);

}  // namespace galen
