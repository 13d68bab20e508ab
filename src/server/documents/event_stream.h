// An answer as server-sent events (text/event-stream): "event: NAME", "data: JSON".
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/json.h"
#include "server/api/errors.h"
#include "server/http/reply.h"

namespace galen::server {

// The bytes of an event; data is one line of JSON.
std::string EventText(const char* event, const std::string& data);
HttpResponse EventHead();

// Who is told what happens.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Send(const char* event, const std::string& data) = 0;
};

// Begins with the first event, so that what fails before has a status of its own. Any thread.
class EventStream : public EventSink {
 public:
  explicit EventStream(std::shared_ptr<Reply> reply) : reply_(std::move(reply)) {}

  void Send(const char* event, const std::string& data) override;
  // Sends the last event, together with the end.
  void Last(const char* event, const std::string& data);
  // {"error": ...}: as the answer where nothing was sent, else as the last event.
  void Fail(const ApiError& error);

 private:
  void BeginLocked();

  const std::shared_ptr<Reply> reply_;
  std::mutex mutex_;
  bool began_ = false;
};

}  // namespace galen::server
