#include "server/slides/slide_room.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <vector>

namespace galen::server {
namespace {

// Nobody guesses another's slide.
Result<std::string> RandomName() {
  std::array<unsigned char, 16> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return IoError("the operating system gave no random bytes");
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const unsigned char byte : random) {
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

}  // namespace

Result<HeldSlide::Jpeg> HeldSlide::Overview(const std::function<Result<Jpeg>()>& make) const {
  const std::lock_guard lock(overview_mutex_);
  if (overview_) return *overview_;
  ASSIGN_OR_RETURN(Jpeg made, make());
  overview_ = std::move(made);
  return *overview_;
}

SlideRoom::SlideRoom(const SlideLimits& limits) : limits_(limits), sweeper_([this] { Sweep(); }) {}

SlideRoom::~SlideRoom() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  sweeper_.join();
}

Result<std::string> SlideRoom::Add(std::shared_ptr<const HeldSlide> slide) {
  ASSIGN_OR_RETURN(std::string name, RandomName());
  std::shared_ptr<const HeldSlide> gone;  // its files go after the lock
  const std::lock_guard lock(mutex_);
  size_t own = 0;
  int64_t bytes = slide->bytes();
  auto oldest = places_.end();
  for (auto place = places_.begin(); place != places_.end(); ++place) {
    bytes += place->second.slide->bytes();
    if (place->second.slide->tenant() != slide->tenant()) continue;
    ++own;
    if (oldest == places_.end() || place->second.used < oldest->second.used) oldest = place;
  }
  size_t count = places_.size() + 1;
  const Clock::time_point now = Clock::now();
  if (own >= limits_.of_tenant) {
    if (now - oldest->second.used < limits_.in_use) {
      return ResourceExhausted(
          std::to_string(own) +
          " slides are looked at by this client, which is as many as it may; close one, or try "
          "again when one was not looked at for " +
          std::to_string(limits_.in_use.count() / 1000) + " seconds");
    }
    bytes -= oldest->second.slide->bytes();
    --count;
  } else {
    oldest = places_.end();
  }
  if (count > limits_.slides || bytes > limits_.bytes) {
    return ResourceExhausted(
        "too many slides are looked at; try again when others are closed (they are let go after " +
        std::to_string(limits_.keep.count() / 60'000) + " minutes)");
  }
  if (oldest != places_.end()) {
    gone = std::move(oldest->second.slide);
    places_.erase(oldest);
  }
  places_.emplace(name, Place{std::move(slide), now});
  return name;
}

std::shared_ptr<const HeldSlide> SlideRoom::Find(const std::string& id, const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end() || found->second.slide->tenant() != tenant) return nullptr;
  found->second.used = Clock::now();
  return found->second.slide;
}

bool SlideRoom::Remove(const std::string& id, const std::string& tenant) {
  std::shared_ptr<const HeldSlide> gone;  // as above
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end() || found->second.slide->tenant() != tenant) return false;
  gone = std::move(found->second.slide);
  places_.erase(found);
  return true;
}

size_t SlideRoom::size() const {
  const std::lock_guard lock(mutex_);
  return places_.size();
}

void SlideRoom::Sweep() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    std::vector<std::shared_ptr<const HeldSlide>> gone;
    const Clock::time_point now = Clock::now();
    Clock::time_point next = now + limits_.keep;
    for (auto place = places_.begin(); place != places_.end();) {
      const Clock::time_point end = place->second.used + limits_.keep;
      if (end <= now) {
        gone.push_back(std::move(place->second.slide));
        place = places_.erase(place);
        continue;
      }
      next = std::min(next, end);
      ++place;
    }
    if (!gone.empty()) {
      lock.unlock();
      gone.clear();  // removes files
      lock.lock();
      continue;
    }
    stopping_.wait_until(lock, next, [this] { return stop_; });
  }
}

}  // namespace galen::server
