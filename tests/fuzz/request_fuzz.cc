// Bodies of HTTP requests: JSON, fields, messages, images in data URLs.
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/api/conversation.h"
#include "server/ollama/params.h"
#include "server/openai/params.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galen::server;
  ServerOptions options;
  options.max_image_pixels = 1 << 16;
  const galen::Result<galen::OrderedJson> body =
      ParseBody(std::string(reinterpret_cast<const char*>(data), size), options.max_json_depth);
  if (!body.ok()) return 0;
  std::string failed;
  {
    Fields fields(*body, "", &failed);
    GenerateParams params;
    StreamParams stream;
    if (fields.Check().ok()) {
      (void)ReadOpenAiParams(&fields, options, &params, &stream).ok();
      (void)fields.Finish().ok();
    }
  }
  {
    Fields fields(*body, "", &failed);
    OllamaParams params;
    if (fields.Check().ok()) {
      (void)ReadOllamaParams(&fields, "", &failed, &params).ok();
      const galen::OrderedJson* messages = fields.Any("messages");
      if (messages != nullptr) {
        (void)OpenAiConversation(*messages, options, &failed).ok();
        (void)OllamaConversation(*messages, options, &failed).ok();
      }
    }
  }
  return 0;
}
