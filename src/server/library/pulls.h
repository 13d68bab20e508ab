// Models on their way into the store: one pull for each name, however many clients wait for it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/pull.h"

namespace galen::server {

// Who is told. The functions are called from the pull's thread, one at a time, and must not wait.
struct PullListener {
  std::function<void(const PullEvent&)> on_event;
  std::function<void(const Status&)> on_done;  // once, unless it left before
};

class Pulls {
 public:
  // Pulls a model, and does what is to be done with it then.
  using Work = std::function<Status(const std::string& name, const Cancel& cancelled,
                                    const OnPullEvent& on_event)>;
  Pulls(Work work, size_t most) : work_(std::move(work)), most_(most) {}
  // Ends all pulls; what has arrived stays in the store.
  ~Pulls();

  // Begins a pull, or takes part in that of the same name. ResourceExhausted: too many are running.
  // The result is for Leave.
  Result<int64_t> Join(const std::string& name, PullListener listener);
  // A pull that nobody waits for is ended.
  void Leave(int64_t id);
  size_t running() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Pull {
    std::string name;
    std::atomic<bool> cancelled{false};
    bool over = false;
    std::vector<std::pair<int64_t, PullListener>> listeners;
    Clock::time_point told{};  // the last progress
    std::thread thread;
  };

  void Run(Pull* pull);
  void Tell(Pull* pull, const PullEvent& event);
  void JoinEnded();

  const Work work_;
  const size_t most_;
  mutable std::mutex mutex_;
  int64_t next_id_ = 1;
  std::list<std::unique_ptr<Pull>> pulls_;
};

}  // namespace galen::server
