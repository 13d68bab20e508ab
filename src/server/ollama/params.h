// Fields that /api/chat and /api/generate share.
#pragma once

#include <chrono>
#include <optional>

#include "server/api/fields.h"
#include "server/api/generate.h"

namespace galen::server {

struct OllamaParams {
  GenerateParams generate;
  bool stream = true;
  std::optional<std::chrono::seconds> keep_alive;  // negative: for ever
};

// Defaults are the model's (ModelSpec::parameters), else Ollama's: temperature 0.8, top_k 40,
// top_p 0.9.
Status ReadOllamaParams(Fields* fields, const std::string& defaults, std::string* failed,
                        OllamaParams* params);

// Whether all of these can become a model's own defaults; each that would have no effect is
// refused.
Status CheckParameters(const OrderedJson& parameters, std::string* failed);

// "5m", "1h30m", "-1", "0"; numbers are seconds.
Result<std::chrono::seconds> ParseKeepAlive(const OrderedJson& value);

// The field "keep_alive".
Status ReadKeepAlive(Fields* fields, std::optional<std::chrono::seconds>* time);

}  // namespace galen::server
