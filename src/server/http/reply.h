// The way from whoever answers a request to the connection it came by. The answering side may be
// any thread; the connection takes what is there when it is woken. While nothing waits to be taken,
// pieces of a streamed body may go to the socket from the answering side, without waking anybody.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.h"

namespace galen::server {

class Reply {
 public:
  // The answering side. Either Send once, or Begin, Write or Gather..., End. What comes after the
  // end, or after the client has left, is dropped. `last` is written together with the end: a
  // client that leaves once it has it was answered.
  void Send(HttpResponse response);
  // body of `head` is not used.
  void Begin(HttpResponse head);
  void Write(std::string_view data);
  // Keeps data until Flush, Write or End, so that what belongs together is sent together.
  void Gather(std::string_view data);
  void Flush();
  void End(std::string_view last = {});
  bool gone() const { return gone_.load(std::memory_order_relaxed); }
  // fn is called once when the client leaves before the end, on the connection's thread; at once if
  // it has left. Several may be given.
  void OnGone(std::function<void()> fn);
  // Calls what OnGone was given: the work is not wanted any more, though the client is there.
  void CancelWork();

  // The connection's side.
  struct Ready {
    std::optional<HttpResponse> head;
    bool streamed = false;
    bool ended = false;
    std::string rest;        // as it is, before data: what the socket did not take
    std::string data;        // of a streamed body
    int64_t sent_bytes = 0;  // that the answering side has sent since the last Take
    bool failed = false;     // sending them
  };
  Ready Take();
  // True: nothing is to be taken. From then until it is woken the connection leaves its socket to
  // the answering side, if it has offered it.
  bool Rest();
  // fn is called from any thread when there may be something to take; at most once between two
  // calls of Take. null: the connection has done with this answer, and its socket is no longer
  // used when this returns.
  void SetWake(std::function<void()> fn);
  // Sends a piece of the body, framed, as far as the socket takes it without waiting; called from
  // any thread, while the connection rests.
  struct Sent {
    int64_t bytes = 0;
    std::string rest;
    bool failed = false;
  };
  void OfferSocket(std::function<Sent(std::string_view data)> send);
  // Its socket is no longer used when this returns, either.
  void ClientGone();

 private:
  void WakeLocked();
  void GatherLocked(std::string_view data);
  void FlushLocked();

  std::mutex mutex_;
  std::function<void()> wake_;
  std::function<Sent(std::string_view)> send_;  // null: none was offered
  std::vector<std::function<void()>> on_gone_;
  Ready ready_;
  bool began_ = false, ended_ = false, woken_ = false;
  bool resting_ = false;  // the connection; the socket is ours
  std::atomic<bool> gone_{false};
};

}  // namespace galen::server
