// Work that waits more than it computes, such as child processes, on threads of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace galen {

// Calls fn(i) for i < n, each once, in no order that can be told, on up to `threads` threads, the
// caller's among them. fn must not throw.
template <typename Fn>
void OnThreads(size_t n, int threads, const Fn& fn) {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < n; i = next++) fn(i);
  };
  std::vector<std::jthread> others;
  for (size_t i = 1; i < std::min<size_t>(n, static_cast<size_t>(std::max(threads, 1))); ++i) {
    others.emplace_back(work);
  }
  work();
}

}  // namespace galen
