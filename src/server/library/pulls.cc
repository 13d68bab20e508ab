#include "server/library/pulls.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace galen::server {
namespace {

// Bytes arrive in thousands of pieces; people want to see some numbers a second.
constexpr std::chrono::milliseconds kProgressPause{100};

}  // namespace

Pulls::~Pulls() {
  std::list<std::unique_ptr<Pull>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& pull : pulls_) pull->cancelled = true;
    all.swap(pulls_);
  }
  for (const auto& pull : all) pull->thread.join();
}

void Pulls::JoinEnded() {
  std::list<std::unique_ptr<Pull>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = pulls_.begin(); it != pulls_.end();) {
      const auto next = std::next(it);
      if ((*it)->over) ended.splice(ended.end(), pulls_, it);
      it = next;
    }
  }
  for (const auto& pull : ended) pull->thread.join();
}

Result<int64_t> Pulls::Join(const std::string& name, PullListener listener) {
  JoinEnded();
  const std::lock_guard lock(mutex_);
  const int64_t id = next_id_++;
  size_t at_work = 0;
  for (const auto& pull : pulls_) {
    at_work += pull->over ? 0 : 1;
    if (pull->over || pull->cancelled || pull->name != name) continue;
    pull->listeners.emplace_back(id, std::move(listener));
    return id;
  }
  if (at_work >= most_) {
    return ResourceExhausted(std::to_string(at_work) +
                             " models are being pulled already; try again when one is there");
  }
  pulls_.push_back(std::make_unique<Pull>());
  Pull* pull = pulls_.back().get();
  pull->name = name;
  pull->listeners.emplace_back(id, std::move(listener));
  try {
    pull->thread = std::thread([this, pull] { Run(pull); });
  } catch (const std::system_error&) {
    pulls_.pop_back();
    return ResourceExhausted("this machine has no thread left for another pull; try again later");
  }
  return id;
}

void Pulls::Leave(int64_t id) {
  const std::lock_guard lock(mutex_);
  for (const auto& pull : pulls_) {
    const size_t gone =
        std::erase_if(pull->listeners, [&](const auto& one) { return one.first == id; });
    if (gone > 0 && pull->listeners.empty()) pull->cancelled = true;
  }
}

size_t Pulls::running() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(pulls_.begin(), pulls_.end(), [](const auto& pull) { return !pull->over; }));
}

void Pulls::Tell(Pull* pull, const PullEvent& event) {
  const std::lock_guard lock(mutex_);
  if (event.kind == PullEvent::Kind::kProgress && event.file_done < event.file_total) {
    const Clock::time_point now = Clock::now();
    if (now - pull->told < kProgressPause) return;
    pull->told = now;
  }
  for (const auto& [id, listener] : pull->listeners) listener.on_event(event);
}

void Pulls::Run(Pull* pull) {
  Status status;
  try {
    status = work_(
        pull->name, [pull] { return pull->cancelled.load(); },
        [this, pull](const PullEvent& event) { Tell(pull, event); });
  } catch (const std::exception&) {
    status = IoError("an internal error ended the pull of " + pull->name);
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [id, listener] : pull->listeners) listener.on_done(status);
  pull->listeners.clear();
  pull->over = true;
}

}  // namespace galen::server
