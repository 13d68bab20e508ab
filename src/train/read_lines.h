// Lines of data, read by all workers and looked at in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/status.h"
#include "base/threads.h"

namespace galen {

// Told how many of how many are done; false: stop. May be empty.
using ReadProgress = std::function<bool(int64_t done, int64_t of)>;

// take(i, read(i)) for i in [0, size), take in order on this thread, a few lines at a time.
// Cancelled: progress returned false. An error of take ends it.
template <typename T, typename Read, typename Take>
Status ReadLines(int64_t size, ThreadPool& pool, const ReadProgress& progress, const Read& read,
                 const Take& take) {
  constexpr int64_t kLinesAtOnce = 64;
  for (int64_t first = 0; first < size; first += kLinesAtOnce) {
    if (progress != nullptr && !progress(first, size)) {
      return Cancelled("stopped while the data were read");
    }
    const int64_t count = std::min(kLinesAtOnce, size - first);
    std::vector<std::optional<Result<T>>> results(static_cast<size_t>(count));
    WorkQueue queue(count, 1);
    pool.Run([&](int) {
      for (int64_t i, end; queue.Next(&i, &end);) {
        results[static_cast<size_t>(i)].emplace(read(first + i));
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      RETURN_IF_ERROR(take(first + i, *std::move(results[static_cast<size_t>(i)])));
    }
  }
  return OkStatus();
}

}  // namespace galen
