// The way of a request that both interfaces share: its body, its model, and a conversation that is
// handed to the model. What the interfaces differ in is how they read a body and write an answer.
#pragma once

#include <functional>
#include <memory>

#include "server/api/generate.h"

namespace galen::server {

// The body and the model that it names; false with an error that is ready to be sent.
bool ReadRequest(const Services& services, const HttpRequest& request, OrderedJson* body,
                 ModelRef* info, ApiError* error);

struct ChatCall {
  GenerateParams params;  // without `tools`
  Conversation conversation;
  ToolRequest tools;
};

// prompt_tokens: of the whole prompt.
using SinkMaker = std::function<std::shared_ptr<AnswerSink>(int64_t prompt_tokens)>;

// From a conversation to answers that run. False with an error: nothing runs.
bool StartChat(const Services& services, const HttpRequest& request, const ModelForRequest& model,
               ChatCall call, const SinkMaker& make_sink, const std::shared_ptr<Reply>& reply,
               ApiError* error);

}  // namespace galen::server
