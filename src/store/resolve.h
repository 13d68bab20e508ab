// What a MODEL argument means, everywhere: a path, or a name of galen's store, of Ollama's, or of
// the cache of Hugging Face's tools.
#pragma once

#include <string>

#include "base/status.h"
#include "store/store.h"

namespace galen {

struct ModelLocation {
  std::string path;        // a GGUF file, or the directory of a checkpoint
  std::string projector;   // a GGUF model's image projector, empty if none comes with it
  std::string system;      // system text that comes with an Ollama model
  std::string parameters;  // as OllamaModel::parameters
  std::string license;     // one line, of an Ollama model the whole text; empty: nothing is known
  std::string name;        // in galen's store, as the manifest says it; empty: it is not of it
  // Where it was found: "" (a path), "builtin" (in the program), "store", "ollama", "hf-cache".
  std::string place;
};

// A path that exists is that path. "hf:..." is looked for in the store, then in the Hugging Face
// cache; "ollama:..." in the store, then in Ollama's; other names are those of `galen import`.
// What looks like a path and names nothing is passed through: opening it says so.
// NotFound: with the nearest names and how to pull. InvalidArgument: a malformed or ambiguous name.
Result<ModelLocation> LocateModel(const std::string& argument,
                                  const ModelStore& store = ModelStore());

}  // namespace galen
