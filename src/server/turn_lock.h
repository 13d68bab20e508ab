// A mutex that serves in order of arrival: models that share the processors take turns, and none
// that computes step after step keeps the others out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace galen::server {

class TurnLock {
 public:
  void lock() {
    std::unique_lock held(mutex_);
    const uint64_t mine = next_++;
    turn_.wait(held, [&] { return serving_ == mine; });
  }
  void unlock() {
    {
      const std::lock_guard held(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  uint64_t next_ = 0, serving_ = 0;
};

}  // namespace galen::server
