// Who is served next: clients take turns, and among the requests of one client the first comes
// first. Bounded as a whole. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace galen::server {

template <typename T>
class AdmissionQueue {
 public:
  explicit AdmissionQueue(int64_t capacity) : capacity_(capacity) {}

  // False: full.
  bool Push(const std::string& client, int64_t id, T item) {
    if (size_ >= capacity_) return false;
    const auto [it, added] = clients_.try_emplace(client);
    if (added) turns_.push_back(client);
    it->second.emplace_back(id, std::move(item));
    ++size_;
    return true;
  }

  std::optional<std::pair<int64_t, T>> Pop() {
    if (turns_.empty()) return std::nullopt;
    const std::string client = std::move(turns_.front());
    turns_.pop_front();
    const auto it = clients_.find(client);
    std::pair<int64_t, T> item = std::move(it->second.front());
    it->second.pop_front();
    --size_;
    if (it->second.empty()) {
      clients_.erase(it);
    } else {
      turns_.push_back(client);
    }
    return item;
  }

  // Takes a request out before its turn.
  std::optional<T> Remove(int64_t id) {
    for (auto client = clients_.begin(); client != clients_.end(); ++client) {
      auto& items = client->second;
      for (auto it = items.begin(); it != items.end(); ++it) {
        if (it->first != id) continue;
        T item = std::move(it->second);
        items.erase(it);
        --size_;
        if (items.empty()) {
          turns_.remove(client->first);
          clients_.erase(client);
        }
        return item;
      }
    }
    return std::nullopt;
  }

  int64_t size() const { return size_; }

 private:
  const int64_t capacity_;
  int64_t size_ = 0;
  std::unordered_map<std::string, std::deque<std::pair<int64_t, T>>> clients_;
  std::list<std::string> turns_;  // each waiting client once, the next first
};

}  // namespace galen::server
