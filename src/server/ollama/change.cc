#include "server/ollama/change.h"

#include <exception>

#include "server/api/write_json.h"
#include "server/library/library.h"

namespace galen::server {

ApiError ErrorOfChange(const Status& status, const std::string& field) {
  ApiError error = ErrorOf(status, field);
  if (status.code() == StatusCode::kResourceExhausted) error.status = 507;
  if (status.code() == StatusCode::kCancelled) error.status = 503;
  return error;
}

bool ReadChange(const Services& services, const HttpRequest& request, OrderedJson* body,
                std::string* model, ApiError* error) {
  Result<OrderedJson> parsed = ParseBody(request.body.Reveal(), services.options.max_json_depth);
  if (!parsed.ok()) {
    *error = ErrorOf(parsed.status());
    return false;
  }
  *body = *std::move(parsed);
  std::string failed;
  Fields fields(*body, "", &failed);
  Status status = fields.Check();
  if (status.ok()) status = fields.String("name", model);
  if (status.ok()) status = fields.String("model", model);
  if (status.ok() && model->empty()) status = fields.Fail("model", "is missing");
  if (status.ok()) return true;
  *error = ErrorOf(status, failed);
  return false;
}

void RunSlowly(const Services& services, const std::shared_ptr<Reply>& reply,
               std::function<void()> work) {
  const bool posted = services.library->slow_work().Post([reply, work = std::move(work)] {
    if (reply->gone()) return;
    try {
      work();
    } catch (const std::exception&) {
      ApiError error;
      error.message = "an internal error";
      reply->Send(ErrorResponse(Dialect::kOllama, error));
      reply->End(ErrorBody(Dialect::kOllama, error) + "\n");
    }
  });
  if (posted) return;
  ApiError error;
  error.status = 429;
  error.message = "too many models are being created or copied; try again later";
  error.retry_after = 10;
  reply->Send(ErrorResponse(Dialect::kOllama, error));
}

std::function<bool()> EndsWith(const Services& services, const std::shared_ptr<Reply>& reply) {
  return
      [&work = services.library->slow_work(), reply] { return reply->gone() || work.stopping(); };
}

void ChangeAnswer::Begin() {
  if (began_) return;
  began_ = true;
  HttpResponse head;
  head.content_type = "application/x-ndjson";
  reply_->Begin(std::move(head));
}

void ChangeAnswer::Say(const Json& line) {
  if (!stream_) return;
  Begin();
  reply_->Write(WriteJson(line) + "\n");
}

void ChangeAnswer::End(const Status& status) {
  const std::string last = status.ok() ? WriteJson(Json{{"status", "success"}})
                                       : ErrorBody(Dialect::kOllama, ErrorOfChange(status));
  if (stream_ && (began_ || status.ok())) {
    Begin();
    return reply_->End(last + "\n");
  }
  if (!status.ok()) return reply_->Send(ErrorResponse(Dialect::kOllama, ErrorOfChange(status)));
  HttpResponse response;
  response.body = last;
  reply_->Send(std::move(response));
}

}  // namespace galen::server
