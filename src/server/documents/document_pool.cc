#include "server/documents/document_pool.h"

namespace galen::server {

DocumentPool::DocumentPool(int threads, int64_t capacity, int64_t max_bytes)
    : max_bytes_(max_bytes), queue_(capacity) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

DocumentPool::~DocumentPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (auto& [id, stop] : running_) stop.request_stop();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

int64_t DocumentPool::Submit(const std::string& client, int64_t bytes, std::stop_source stop,
                             std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  const int64_t id = next_++;
  if (stop_ || bytes > max_bytes_ - bytes_ ||
      !queue_.Push(client, id, {std::move(stop), std::move(work), bytes})) {
    ++counters_.refused;
    return 0;
  }
  bytes_ += bytes;
  ++counters_.requests;
  counters_.waiting = queue_.size();
  wake_.notify_one();
  return id;
}

bool DocumentPool::Drop(int64_t id) {
  std::optional<Item> dropped;  // ends outside of the lock
  const std::lock_guard lock(mutex_);
  dropped = queue_.Remove(id);
  counters_.waiting = queue_.size();
  if (dropped) bytes_ -= dropped->bytes;
  return dropped.has_value();
}

void DocumentPool::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || queue_.size() > 0; });
    auto next = queue_.Pop();
    if (!next) return;
    auto& [id, item] = *next;
    if (stop_) item.stop.request_stop();
    running_.emplace(id, item.stop);
    counters_.waiting = queue_.size();
    counters_.running = static_cast<int64_t>(running_.size());
    lock.unlock();
    item.work();
    item.work = nullptr;
    lock.lock();
    bytes_ -= item.bytes;
    running_.erase(id);
    counters_.running = static_cast<int64_t>(running_.size());
  }
}

}  // namespace galen::server
