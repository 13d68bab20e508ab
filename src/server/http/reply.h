// The way from whoever answers a request to the connection it came by. The answering side may be
// any thread; the connection takes what is there when it is woken.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "server/http/message.h"

namespace galen::server {

class Reply {
 public:
  // The answering side. Either Send once, or Begin, Write..., End. What comes after the end, or
  // after the client has left, is dropped. `last` is written together with the end: a client that
  // leaves once it has it was answered.
  void Send(HttpResponse response);
  // body of `head` is not used.
  void Begin(HttpResponse head);
  void Write(std::string_view data);
  void End(std::string_view last = {});
  bool gone() const { return gone_.load(std::memory_order_relaxed); }
  // fn is called once when the client leaves before the end, on the connection's thread; at once if
  // it has left. Several may be given.
  void OnGone(std::function<void()> fn);
  // Calls what OnGone was given: the work is not wanted any more, though the client is there.
  void CancelWork();

  // The connection's side.
  struct Ready {
    bool has_head = false;
    bool streamed = false;
    bool ended = false;
    HttpResponse head;
    std::string data;  // of a streamed body
  };
  Ready Take();
  // fn is called from any thread when there may be something to take; at most once between two
  // calls of Take.
  void SetWake(std::function<void()> fn);
  void ClientGone();

 private:
  void WakeLocked();

  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<std::function<void()>> on_gone_;
  Ready ready_;
  bool began_ = false, ended_ = false, woken_ = false;
  std::atomic<bool> gone_{false};
};

}  // namespace galen::server
