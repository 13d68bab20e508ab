// Embeddings, as far as the interfaces share them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/chat.h"

namespace galen::server {

struct EmbedCall {
  OrderedJson input;  // null: absent
  std::optional<Pooling> pooling;
  int64_t dimensions = 0;  // 0: not said
  std::string field;       // that held the input
};

struct EmbedAnswer {
  std::vector<std::vector<float>> vectors;  // not normalised
  int64_t tokens = 0;
};

// The input under `key`, "dimensions", and galen's "pooling" (mean or last).
Status ReadEmbedCall(Fields* fields, const char* key, EmbedCall* call);

// Embeds a text, token ids, or an array of up to ServerOptions::max_prompts of either; pooled as
// the request says, else as the model's files say, else by the last token, as Ollama does. send or
// fail is called once, from the engine's thread. False with an error: neither is.
bool StartEmbedding(const Services& services, const HttpRequest& request,
                    const ModelForRequest& model, const EmbedCall& call,
                    std::function<void(EmbedAnswer)> send,
                    std::function<void(const ApiError&)> fail, const std::shared_ptr<Reply>& reply,
                    ApiError* error);

}  // namespace galen::server
