#include "server/documents/event_stream.h"

namespace galen::server {

std::string EventText(const char* event, const std::string& data) {
  return "event: " + std::string(event) + "\ndata: " + data + "\n\n";
}

HttpResponse EventHead() {
  HttpResponse head;
  head.content_type = "text/event-stream; charset=utf-8";
  head.headers.emplace_back("X-Accel-Buffering", "no");
  return head;
}

void EventStream::BeginLocked() {
  if (!began_) reply_->Begin(EventHead());
  began_ = true;
}

void EventStream::Send(const char* event, const std::string& data) {
  const std::lock_guard lock(mutex_);
  BeginLocked();
  reply_->Write(EventText(event, data));
}

void EventStream::Last(const char* event, const std::string& data) {
  const std::lock_guard lock(mutex_);
  BeginLocked();
  reply_->End(EventText(event, data));
}

void EventStream::Fail(const ApiError& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!began_) {
      reply_->Send(ErrorResponse(Dialect::kOpenAi, error));
      return;
    }
  }
  Last("error", ErrorBody(Dialect::kOpenAi, error));
}

}  // namespace galen::server
