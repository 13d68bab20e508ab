// POST /api/embed, and /api/embeddings as older clients send it.
#include "server/api/embed.h"

#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/ollama/params.h"

namespace galen::server {
namespace {

using Clock = std::chrono::steady_clock;

Status ReadEmbed(const OrderedJson& body, bool old, EmbedCall* call,
                 std::optional<std::chrono::seconds>* keep_alive, std::string* failed) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(ReadEmbedCall(&fields, old ? "prompt" : "input", call));
  RETURN_IF_ERROR(ReadKeepAlive(&fields, keep_alive));
  // A text that does not fit is refused, never cut, whatever `truncate` says.
  fields.Accept({"model"});
  Status options;
  fields.Object("options", &options);
  RETURN_IF_ERROR(options);
  RETURN_IF_ERROR(fields.AcceptBools({"truncate"}));
  return fields.Finish();
}

int64_t Nanoseconds(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

void Embed(const Services& services, const std::shared_ptr<const HttpRequest>& request,
           const std::shared_ptr<Reply>& reply, bool old) {
  const Clock::time_point begin = Clock::now();
  const auto fail = [reply](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOllama, error));
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *request, &body, &model.info, &error)) return fail(error);
  EmbedCall call;
  std::optional<std::chrono::seconds> keep_alive;
  std::string failed;
  const Status read = ReadEmbed(body, old, &call, &keep_alive, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  if (!AcquireModel(services, model.info, &model, &error)) return fail(error);
  services.models.KeepAlive(*model.info, keep_alive.value_or(services.models.default_keep_alive()));
  const auto load = static_cast<int64_t>(model.load_seconds * 1e9);
  const auto send = [name = model.info->spec.name, old, begin, load, reply](EmbedAnswer answer) {
    Json json;
    if (old) {  // as they are, not of length 1
      json["embedding"] = answer.vectors.empty() ? Json::array() : Json(answer.vectors[0]);
    } else {
      for (std::vector<float>& vector : answer.vectors) NormalizeVector(vector);
      json = {{"model", name},
              {"embeddings", answer.vectors},
              {"total_duration", Nanoseconds(Clock::now() - begin)},
              {"load_duration", load},
              {"prompt_eval_count", answer.tokens}};
    }
    HttpResponse response;
    response.body = WriteJson(json);
    reply->Send(std::move(response));
  };
  // Without a text the model is loaded.
  if (call.input.is_null() || call.input == "" || call.input == OrderedJson::array())
    return send({});
  if (!StartEmbedding(services, *request, model, call, send, fail, reply, &error)) fail(error);
}

}  // namespace

void OllamaEmbed(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  Embed(services, request, reply, false);
}

void OllamaEmbeddings(const Services& services, std::shared_ptr<const HttpRequest> request,
                      std::shared_ptr<Reply> reply) {
  Embed(services, request, reply, true);
}

}  // namespace galen::server
