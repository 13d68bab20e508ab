// From the messages of a request to what a chat template takes, and to a prompt.
#pragma once

#include <string>
#include <vector>

#include "server/api/errors.h"
#include "server/api/fields.h"
#include "server/model_host.h"
#include "server/services.h"

namespace galen::server {

struct Conversation {
  OrderedJson messages = OrderedJson::array();
  std::vector<Image> images;  // in the order of their places
};

// `failed` as in Fields. OpenAI: content is a string, null or parts ({"type": "text"},
// {"type": "image_url"} with a data URL; no other URL is ever fetched).
Result<Conversation> OpenAiConversation(const OrderedJson& messages, const ServerOptions& options,
                                        std::string* failed);
// Ollama: content is a string, images are base64 and come before the text.
Result<Conversation> OllamaConversation(const OrderedJson& messages, const ServerOptions& options,
                                        std::string* failed);
// Appends the images of an array of base64 texts.
Status AddImages(const OrderedJson* images, const std::string& where, const ServerOptions& options,
                 std::vector<Image>* out, std::string* failed);

struct PreparedPrompt {
  EncodedPrompt prompt;
  std::vector<PreparedViews> images;
};

// system: goes in front where the conversation has no system message.
Result<PreparedPrompt> PreparePrompt(const ModelHost& host, Conversation conversation,
                                     const std::string& system);
// A text without a template.
Result<PreparedPrompt> PrepareRaw(const ModelHost& host, const std::string& text,
                                  const std::vector<Image>& images);

}  // namespace galen::server
