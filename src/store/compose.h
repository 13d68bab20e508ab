// Models that are put together from files and texts, written as Ollama's manifests say them.
#pragma once

#include <functional>
#include <string>

#include "store/store.h"

namespace galen {

struct ModelParts {
  std::string model;       // path of a GGUF file
  std::string projector;   // of its image projector; empty: none
  std::string system;      // the texts: empty: none
  std::string parameters;  // JSON
  std::string license;
  std::string family;  // the architecture, for those who list models
};

struct ComposeOptions {
  std::function<void(const std::string&)> on_status;  // for people
  Cancel cancelled;
};

struct ComposedModel {
  std::string manifest;  // for ModelStore::CommitOllama, which gives the model its name
  std::string sha256;    // of the model's blob
};
// Copies into the store what it does not have yet: reads every file of the model. Io,
// ResourceExhausted, Cancelled.
Result<ComposedModel> ComposeModel(const ModelStore& store, const ModelParts& parts,
                                   const ComposeOptions& options);

// A model of the store under another plain name (IsLocalName). NotFound: a blob is missing.
Status CopyStoredModel(const ModelStore& store, StoredModel model, const std::string& name);

}  // namespace galen
