// POST /v1/embeddings.
#include <bit>

#include "base/base64.h"
#include "server/api/embed.h"
#include "server/api/write_json.h"
#include "server/endpoints.h"
#include "server/openai/params.h"

namespace galen::server {
namespace {

// Little-endian fp32 in base64, as OpenAI's clients ask for it.
std::string Base64(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little);
  return EncodeBase64(
      {reinterpret_cast<const uint8_t*>(vector.data()), vector.size() * sizeof(float)});
}

Status ReadEmbeddings(const OrderedJson& body, EmbedCall* call, bool* base64, std::string* failed) {
  Fields fields(body, "", failed);
  std::string format = "float";
  RETURN_IF_ERROR(fields.String("encoding_format", &format));
  if (format != "float" && format != "base64")
    return fields.Fail("encoding_format", "must be float or base64");
  *base64 = format == "base64";
  RETURN_IF_ERROR(ReadEmbedCall(&fields, "input", call));
  fields.Accept({"model"});
  RETURN_IF_ERROR(fields.AcceptStrings({"user"}));
  return fields.Finish();
}

}  // namespace

void OpenAiEmbeddings(const Services& services, std::shared_ptr<const HttpRequest> request,
                      std::shared_ptr<Reply> reply) {
  const auto fail = [reply](const ApiError& error) {
    reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  };
  ApiError error;
  OrderedJson body;
  ModelForRequest model;
  if (!ReadRequest(services, *request, &body, &model.info, &error)) return fail(error);
  EmbedCall call;
  bool base64 = false;
  std::string failed;
  const Status read = ReadEmbeddings(body, &call, &base64, &failed);
  if (!read.ok()) return fail(ErrorOf(read, failed));
  if (!AcquireModel(services, model.info, &model, &error)) return fail(error);
  const auto send = [name = model.info->spec.name, base64, reply](EmbedAnswer answer) {
    Json list = Json::array();
    for (std::vector<float>& vector : answer.vectors) {
      NormalizeVector(vector);
      list.push_back({{"object", "embedding"},
                      {"index", list.size()},
                      {"embedding", base64 ? Json(Base64(vector)) : Json(vector)}});
    }
    Json json = {{"object", "list"},
                 {"model", name},
                 {"data", std::move(list)},
                 {"usage", {{"prompt_tokens", answer.tokens}, {"total_tokens", answer.tokens}}}};
    HttpResponse response;
    response.body = WriteJson(json);
    reply->Send(std::move(response));
  };
  if (!StartEmbedding(services, *request, model, call, send, fail, reply, &error)) fail(error);
}

}  // namespace galen::server
