#include "server/http/reply.h"

namespace galen::server {

void Reply::WakeLocked() {
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

void Reply::Send(HttpResponse response) {
  const std::lock_guard lock(mutex_);
  if (began_ || ended_) return;
  began_ = ended_ = true;
  ready_.has_head = ready_.ended = true;
  ready_.head = std::move(response);
  WakeLocked();
}

void Reply::Begin(HttpResponse head) {
  const std::lock_guard lock(mutex_);
  if (began_ || ended_) return;
  began_ = true;
  ready_.has_head = ready_.streamed = true;
  ready_.head = std::move(head);
  WakeLocked();
}

void Reply::Write(std::string_view data) {
  const std::lock_guard lock(mutex_);
  if (!began_ || ended_ || gone()) return;
  ready_.data += data;
  WakeLocked();
}

void Reply::End(std::string_view last) {
  const std::lock_guard lock(mutex_);
  if (!began_ || ended_) return;
  if (!gone()) ready_.data += last;
  ended_ = true;
  ready_.ended = true;
  WakeLocked();
}

void Reply::OnGone(std::function<void()> fn) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone()) {
      on_gone_.push_back(std::move(fn));
      return;
    }
  }
  fn();
}

Reply::Ready Reply::Take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  Ready taken = std::move(ready_);
  ready_ = {};
  return taken;
}

void Reply::SetWake(std::function<void()> fn) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(fn);
  if (wake_ && (ready_.has_head || ready_.ended || !ready_.data.empty())) WakeLocked();
}

void Reply::CancelWork() {
  std::vector<std::function<void()>> fns;
  {
    const std::lock_guard lock(mutex_);
    fns.swap(on_gone_);
  }
  for (const auto& fn : fns) fn();
}

void Reply::ClientGone() {
  std::vector<std::function<void()>> fns;
  {
    const std::lock_guard lock(mutex_);
    if (gone()) return;
    gone_.store(true, std::memory_order_relaxed);
    fns.swap(on_gone_);
    if (ended_) return;
  }
  for (const auto& fn : fns) fn();
}

}  // namespace galen::server
