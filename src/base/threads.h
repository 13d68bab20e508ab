// One pool of workers per process part that computes. Workers spin for a short while between
// regions, then sleep.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace galen {

// Number of processors that this process may run on.
int AvailableProcessors();

// A fork-join pool. One thread at a time may call Run; Run does not nest. The caller is worker 0.
class ThreadPool {
 public:
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return num_threads_; }

  // Calls fn(worker) once on each worker, worker = 0 .. size()-1, and returns when all have
  // returned. fn must not throw.
  template <typename Fn>
  void Run(Fn&& fn) {
    using Plain = std::remove_reference_t<Fn>;
    RunErased([](void* f, int worker) { (*static_cast<Plain*>(f))(worker); },
              const_cast<std::remove_const_t<Plain>*>(&fn));
  }

  // Inside Run: waits until every worker has arrived.
  void Barrier();

 private:
  using Erased = void (*)(void* fn, int worker);
  void RunErased(Erased call, void* fn);
  void WorkerLoop(int worker);

  const int num_threads_;
  std::vector<std::thread> threads_;
  Erased call_ = nullptr;
  void* fn_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<uint32_t> epoch_{0};  // a new value starts a region
  alignas(64) std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<int> running_{0};  // workers that have not yet finished the region
  alignas(64) std::atomic<int> arrived_{0};  // barrier
  alignas(64) std::atomic<uint32_t> barrier_epoch_{0};
};

// Hands out [0, total) in pieces of `grain` to whoever asks, so that a slow core gets less work.
class WorkQueue {
 public:
  WorkQueue(int64_t total, int64_t grain) : total_(total), grain_(grain) {}
  // Sets [*begin, *end) to the next piece; false when nothing is left.
  bool Next(int64_t* begin, int64_t* end) {
    const int64_t first = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (first >= total_) return false;
    *begin = first;
    *end = first + grain_ < total_ ? first + grain_ : total_;
    return true;
  }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
  const int64_t total_;
  const int64_t grain_;
};

// The same with a contiguous stripe of the range for each worker, so that each reads memory
// forwards; whoever is done with its own helps with the others'.
class StripedQueue {
 public:
  // Stripes begin at multiples of grain.
  StripedQueue(int64_t total, int64_t grain, int workers)
      : grain_(grain), num_stripes_(std::min(workers, kMaxStripes)) {
    const int64_t pieces = (total + grain - 1) / grain;
    for (int i = 0; i < num_stripes_; ++i) {
      stripes_[i].next.store(First(i, total, pieces), std::memory_order_relaxed);
      stripes_[i].end = First(i + 1, total, pieces);
    }
  }
  // Where the worker's own stripe begins.
  int64_t begin(int worker) const {
    return stripes_[worker % num_stripes_].next.load(std::memory_order_relaxed);
  }
  // As WorkQueue::Next.
  bool Next(int worker, int64_t* begin, int64_t* end) {
    for (int i = 0; i < num_stripes_; ++i) {
      Stripe& stripe = stripes_[(worker + i) % num_stripes_];
      if (stripe.next.load(std::memory_order_relaxed) >= stripe.end) continue;
      const int64_t first = stripe.next.fetch_add(grain_, std::memory_order_relaxed);
      if (first >= stripe.end) continue;
      *begin = first;
      *end = std::min(first + grain_, stripe.end);
      return true;
    }
    return false;
  }

 private:
  static constexpr int kMaxStripes = 64;
  struct alignas(64) Stripe {
    std::atomic<int64_t> next;
    int64_t end;
  };
  int64_t First(int stripe, int64_t total, int64_t pieces) const {
    return std::min(pieces * stripe / num_stripes_ * grain_, total);
  }

  const int64_t grain_;
  const int num_stripes_;
  std::array<Stripe, kMaxStripes> stripes_;
};

}  // namespace galen
