#include "base/memory.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <sstream>
#include <string_view>

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

// The number behind `key` in a file of lines "key number ..."; 0 where there is none.
int64_t ReadField(const std::string& path, std::string_view key) {
  const Result<std::string> text = ReadFile(path, 1 << 16);
  if (!text.ok()) return 0;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    int64_t number = 0;
    if (words >> name >> number && name == key) return number;
  }
  return 0;
}

int64_t SystemAvailable() {
  const int64_t kilobytes = ReadField("/proc/meminfo", "MemAvailable:");
  return kilobytes > 0 ? kilobytes * 1024 : std::numeric_limits<int64_t>::max();
}

}  // namespace

int64_t AvailableMemory() {
  int64_t available = SystemAvailable();
  // Control groups, version 2 and 1. Pages of files count as used there but are given back under
  // pressure.
  static constexpr struct {
    const char *folder, *limit, *used;
  } kGroups[] = {{"/sys/fs/cgroup/", "memory.max", "memory.current"},
                 {"/sys/fs/cgroup/memory/", "memory.limit_in_bytes", "memory.usage_in_bytes"}};
  for (const auto& group : kGroups) {
    const std::string folder = group.folder;
    const int64_t limit = ReadNumber(folder + group.limit), used = ReadNumber(folder + group.used);
    if (limit < 0 || used < 0) continue;
    const int64_t files = ReadField(folder + "memory.stat", "inactive_file") +
                          ReadField(folder + "memory.stat", "active_file");
    available =
        std::min(available, std::max<int64_t>(0, limit - std::max<int64_t>(0, used - files)));
  }
  return available;
}

std::string FormatBytes(int64_t bytes) {
  char text[64];
  if (bytes >= 1000000000)
    std::snprintf(text, sizeof(text), "%.1f GB", static_cast<double>(bytes) / 1e9);
  else if (bytes >= 1000000)
    std::snprintf(text, sizeof(text), "%.0f MB", static_cast<double>(bytes) / 1e6);
  else
    std::snprintf(text, sizeof(text), "%.0f kB", static_cast<double>(bytes) / 1e3);
  return text;
}

}  // namespace galen
