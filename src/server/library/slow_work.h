// Threads for changes that read whole models, so that they keep no request from its worker.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <functional>
#include <utility>

namespace galen::server {

class SlowWork {
 public:
  // most: at work or waiting at a time.
  SlowWork(size_t threads, int most) : most_(most), pool_(threads) {}
  // Waits for what was posted; it sees that it is to end.
  ~SlowWork() {
    stopping_ = true;
    pool_.join();
  }

  // False: too much waits. work must not throw.
  bool Post(std::function<void()> work) {
    if (count_.fetch_add(1) >= most_) {
      --count_;
      return false;
    }
    boost::asio::post(pool_, [this, work = std::move(work)] {
      work();
      --count_;
    });
    return true;
  }
  bool stopping() const { return stopping_; }

 private:
  const int most_;
  std::atomic<int> count_{0};
  std::atomic<bool> stopping_{false};
  boost::asio::thread_pool pool_;
};

}  // namespace galen::server
