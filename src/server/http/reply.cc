#include "server/http/reply.h"

#include <utility>

namespace galen::server {

void Reply::WakeLocked() {
  resting_ = false;
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

void Reply::GatherLocked(std::string_view data) {
  if (began_ && !ended_ && !gone()) ready_.data += data;
}

void Reply::FlushLocked() {
  if (ready_.data.empty() || ended_) return;  // the end wakes the connection itself
  if (!resting_ || !send_) return WakeLocked();
  Sent sent = send_(ready_.data);
  ready_.data.clear();
  ready_.sent_bytes += sent.bytes;
  if (sent.rest.empty() && !sent.failed) return;
  ready_.rest = std::move(sent.rest);
  ready_.failed = sent.failed;
  WakeLocked();
}

void Reply::Send(HttpResponse response) {
  const std::lock_guard lock(mutex_);
  if (began_ || ended_) return;
  began_ = ended_ = true;
  ready_.ended = true;
  ready_.head = std::move(response);
  WakeLocked();
}

void Reply::Begin(HttpResponse head) {
  const std::lock_guard lock(mutex_);
  if (began_ || ended_) return;
  began_ = true;
  ready_.streamed = true;
  ready_.head = std::move(head);
  WakeLocked();
}

void Reply::Write(std::string_view data) {
  const std::lock_guard lock(mutex_);
  GatherLocked(data);
  FlushLocked();
}

void Reply::Gather(std::string_view data) {
  const std::lock_guard lock(mutex_);
  GatherLocked(data);
}

void Reply::Flush() {
  const std::lock_guard lock(mutex_);
  FlushLocked();
}

void Reply::End(std::string_view last) {
  const std::lock_guard lock(mutex_);
  if (!began_ || ended_) return;
  GatherLocked(last);
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
  resting_ = false;
  return std::exchange(ready_, {});
}

bool Reply::Rest() {
  const std::lock_guard lock(mutex_);
  resting_ = !ready_.head && !ready_.ended && ready_.rest.empty() && ready_.data.empty() &&
             !ready_.failed && !gone();
  return resting_;
}

void Reply::OfferSocket(std::function<Sent(std::string_view)> send) {
  const std::lock_guard lock(mutex_);
  send_ = std::move(send);
}

void Reply::SetWake(std::function<void()> fn) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(fn);
  if (!wake_) {
    send_ = nullptr;
    resting_ = false;
  } else if (ready_.head || ready_.ended || !ready_.data.empty()) {
    WakeLocked();
  }
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
    resting_ = false;
    fns.swap(on_gone_);
    if (ended_) return;
  }
  for (const auto& fn : fns) fn();
}

}  // namespace galen::server
