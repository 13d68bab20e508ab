// From the messages of a request to what a chat template takes, and to a prompt.
#pragma once

#include <string>
#include <vector>

#include "server/api/errors.h"
#include "server/api/fields.h"
#include "server/model_host.h"
#include "server/services.h"

namespace galen::server {

struct RequestImage {
  Image image;
  std::string digest;  // SHA-256 of the file as it was sent; empty where no audit is kept
};

struct Conversation {
  OrderedJson messages = OrderedJson::array();
  std::vector<RequestImage> images;  // in the order of their places
  OrderedJson tools;                 // functions that the model is told of; null: none
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
                 std::vector<RequestImage>* out, std::string* failed);

struct PreparedPrompt {
  EncodedPrompt prompt;
  std::vector<PreparedViews> images;
  std::vector<std::string> image_digests;  // RequestImage::digest of each
};

// system: goes in front where the conversation has no system message.
Result<PreparedPrompt> PreparePrompt(const ModelHost& host, Conversation conversation,
                                     const std::string& system);
// A text without a template.
Result<PreparedPrompt> PrepareRaw(const ModelHost& host, const std::string& text,
                                  const std::vector<RequestImage>& images);

}  // namespace galen::server
