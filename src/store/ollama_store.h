// Models that Ollama has pulled, read in place: manifest, then blobs. Nothing is written.
// Layout: $OLLAMA_MODELS or ~/.ollama/models; manifests/HOST/NAMESPACE/MODEL/TAG is a JSON document
// whose layers name blobs/sha256-HEX.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "store/model_name.h"

namespace galen {

struct OllamaModel {
  std::string model;       // path of the GGUF blob
  std::string projector;   // of the image projector's, empty if the model has none of its own
  std::string system;      // system text, empty if none
  std::string parameters;  // its defaults of /api/chat's options, JSON; empty if none
  std::string license;     // empty if none
};

// $OLLAMA_MODELS or ~/.ollama/models.
std::string OllamaRoot();

// name: "ollama:[host/][namespace/]model[:tag]"; absent parts are registry.ollama.ai, library and
// latest. InvalidArgument: a malformed name. NotFound: no such manifest or blob, with the path
// looked at. DataLoss: a manifest that is none.
Result<OllamaModel> FindOllamaModel(std::string_view name, const std::string& root = "");

}  // namespace galen
