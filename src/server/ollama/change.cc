#include "server/ollama/change.h"

#include "server/api/write_json.h"

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
