#include "base/threads.h"

#include <sched.h>

#include "base/status.h"
#include "base/thread_name.h"

namespace galen {
namespace {

// Measured on two-core virtual machines: a decode step leaves at most some 100 us between regions,
// so that a worker that spins about that long never sleeps in the middle of a step.
constexpr int kSpinsBeforeSleep = 20000;
// A barrier inside a region is short unless a core was taken away; then spinning on would only
// delay its return.
constexpr int kSpinsBeforeYield = 4000;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

int AvailableProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 1 : static_cast<int>(n);
}

ThreadPool::ThreadPool(int num_threads) : num_threads_(num_threads) {
  GALEN_CHECK(num_threads >= 1);
  for (int worker = 1; worker < num_threads; ++worker) {
    threads_.emplace_back([this, worker] { WorkerLoop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::RunErased(Erased call, void* fn) {
  if (num_threads_ == 1) {
    call(fn, 0);
    return;
  }
  call_ = call;
  fn_ = fn;
  running_.store(num_threads_ - 1, std::memory_order_relaxed);
  epoch_.fetch_add(1);
  if (sleepers_.load() > 0) epoch_.notify_all();
  call(fn, 0);
  for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
    Pause();
    if (spins > kSpinsBeforeYield) std::this_thread::yield();
  }
}

void ThreadPool::WorkerLoop(int worker) {
  NameThread("compute");
  uint32_t seen = 0;
  while (true) {
    for (int spins = 0; epoch_.load(std::memory_order_acquire) == seen; ++spins) {
      if (spins < kSpinsBeforeSleep) {
        Pause();
        continue;
      }
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
    }
    ++seen;
    if (stop_) return;
    call_(fn_, worker);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::Barrier() {
  if (num_threads_ == 1) return;
  const uint32_t epoch = barrier_epoch_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == num_threads_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    barrier_epoch_.store(epoch + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; barrier_epoch_.load(std::memory_order_acquire) == epoch; ++spins) {
    Pause();
    if (spins > kSpinsBeforeYield) std::this_thread::yield();
  }
}

}  // namespace galen
