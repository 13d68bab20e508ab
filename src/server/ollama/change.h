// What the endpoints that change models share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/api/errors.h"
#include "server/api/fields.h"
#include "server/services.h"

namespace galen::server {

// 507 for a full disk, 503 for what was ended, else as ErrorOf.
ApiError ErrorOfChange(const Status& status, const std::string& field = "");

// The body of a request, and the model that it names ("model", or "name" as older clients send it).
// False with an error.
bool ReadChange(const Services& services, const HttpRequest& request, OrderedJson* body,
                std::string* model, ApiError* error);

// Runs a change that reads whole models on threads of its own; 429 where too many wait. What it
// throws ends its request.
void RunSlowly(const Services& services, const std::shared_ptr<Reply>& reply,
               std::function<void()> work);
// True once its client has left or the server ends.
std::function<bool()> EndsWith(const Services& services, const std::shared_ptr<Reply>& reply);

// Lines of progress, the last of which is "success" or an error; or, where no stream is wanted, one
// object with a status of its own. Any thread, one at a time.
class ChangeAnswer {
 public:
  ChangeAnswer(bool stream, std::shared_ptr<Reply> reply)
      : stream_(stream), reply_(std::move(reply)) {}
  void Say(const Json& line);
  void End(const Status& status);

 private:
  void Begin();

  const bool stream_;
  const std::shared_ptr<Reply> reply_;
  bool began_ = false;
};

}  // namespace galen::server
