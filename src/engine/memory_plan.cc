#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <sstream>

#include "base/files.h"

namespace galen {
namespace {

// The number in a control group's file; "max", absence and nonsense mean no limit.
int64_t ReadNumber(const std::string& path) {
  const Result<std::string> text = ReadFile(path, 256);
  if (!text.ok()) return -1;
  try {
    return std::stoll(*text);
  } catch (const std::exception&) {
    return -1;
  }
}

int64_t SystemAvailable() {
  const Result<std::string> text = ReadFile("/proc/meminfo", 1 << 16);
  if (!text.ok()) return std::numeric_limits<int64_t>::max();
  std::istringstream lines(*text);
  std::string key;
  int64_t kilobytes = 0;
  std::string unit;
  while (lines >> key >> kilobytes) {
    std::getline(lines, unit);
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return std::numeric_limits<int64_t>::max();
}

}  // namespace

int64_t AvailableMemory() {
  int64_t available = SystemAvailable();
  const int64_t limit = ReadNumber("/sys/fs/cgroup/memory.max");
  const int64_t used = ReadNumber("/sys/fs/cgroup/memory.current");
  if (limit >= 0 && used >= 0) available = std::min(available, std::max<int64_t>(0, limit - used));
  return available;
}

std::string FormatBytes(int64_t bytes) {
  char text[64];
  if (bytes >= 1000000000) std::snprintf(text, sizeof(text), "%.1f GB", static_cast<double>(bytes) / 1e9);
  else if (bytes >= 1000000) std::snprintf(text, sizeof(text), "%.0f MB", static_cast<double>(bytes) / 1e6);
  else std::snprintf(text, sizeof(text), "%.0f kB", static_cast<double>(bytes) / 1e3);
  return text;
}

Status CheckMemory(const MemoryPlan& plan, int64_t available) {
  if (plan.total() <= available) return OkStatus();
  return ResourceExhausted("needs " + FormatBytes(plan.total()) + " (weights " + FormatBytes(plan.weights) + ", KV cache " +
                           FormatBytes(plan.kv_cache) + ", activations " + FormatBytes(plan.activations) + "), " +
                           FormatBytes(available) +
                           " free; use a smaller --context, an int8 cache (--kv int8) or a smaller quantisation");
}

}  // namespace galen
