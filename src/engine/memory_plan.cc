#include "engine/memory_plan.h"

namespace galen {

Status CheckMemory(const MemoryPlan& plan, int64_t available) {
  if (plan.total() <= available) return OkStatus();
  return ResourceExhausted(
      "needs " + FormatBytes(plan.total()) + " (weights " + FormatBytes(plan.weights) +
      ", KV cache " + FormatBytes(plan.kv_cache) + ", activations " +
      FormatBytes(plan.activations) + "), " + FormatBytes(available) +
      " free; use a smaller --context, an int8 cache (--kv int8) or a smaller quantisation");
}

}  // namespace galen
