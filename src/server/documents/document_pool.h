// Threads for work on documents, which waits long for children and for models. Bounded; clients
// take turns.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "server/admission_queue.h"

namespace galen::server {

struct DocumentCounters {
  std::atomic<int64_t> waiting{0}, running{0}, requests{0}, refused{0}, pages{0};
};

class DocumentPool {
 public:
  // capacity: of those that wait. max_bytes: of the files of all, at work or waiting.
  DocumentPool(int threads, int64_t capacity,
               int64_t max_bytes = std::numeric_limits<int64_t>::max());
  // Asks what runs to stop and waits for it; what waits is asked to stop before it runs, too.
  ~DocumentPool();

  // work must end soon after stop was requested; it is called also if that was before its turn. 0:
  // the queue is full, or with these bytes, which count until the work ends, there would be too
  // many. From any thread.
  int64_t Submit(const std::string& client, int64_t bytes, std::stop_source stop,
                 std::function<void()> work);
  // What still waits goes without being called. False: it does not wait.
  bool Drop(int64_t id);

  DocumentCounters& counters() { return counters_; }

 private:
  struct Item {
    std::stop_source stop;
    std::function<void()> work;
    int64_t bytes = 0;
  };
  void Loop();

  const int64_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable wake_;
  AdmissionQueue<Item> queue_;
  std::map<int64_t, std::stop_source> running_;
  int64_t next_ = 1, bytes_ = 0;
  bool stop_ = false;
  DocumentCounters counters_;
  std::vector<std::thread> threads_;
};

}  // namespace galen::server
