// POST /v1/embeddings and Ollama's two forms of it.
#include "server/api/errors.h"
#include "server/api/fields.h"
#include "server/api/generate.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

// The models that a server loads are decoders: none of them was trained to give vectors, and a mean
// of hidden states sold as an embedding would be worse than an error.
void Refuse(Dialect dialect, const Services& services, const HttpRequest& request, Reply* reply) {
  const Result<OrderedJson> body =
      ParseBody(request.body.Reveal(), services.options.max_json_depth);
  ApiError error;
  const ModelInfo* info = nullptr;
  if (!body.ok()) {
    error = ErrorOf(body.status());
  } else if (FindModel(services, *body, &info, &error)) {
    error =
        ErrorOf(Unsupported("model '" + info->spec.name +
                            "' gives no embeddings: it is a text generator; `galen embed` makes "
                            "embeddings of images and texts with SigLIP and CLIP models"),
                "model");
  }
  reply->Send(ErrorResponse(dialect, error));
}

}  // namespace

void OpenAiEmbeddings(const Services& services, std::shared_ptr<const HttpRequest> request,
                      std::shared_ptr<Reply> reply) {
  Refuse(Dialect::kOpenAi, services, *request, reply.get());
}

void OllamaEmbed(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  Refuse(Dialect::kOllama, services, *request, reply.get());
}

}  // namespace galen::server
