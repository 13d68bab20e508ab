// Models from the hub and from Ollama registries into the store.
#pragma once

#include <functional>
#include <string>

#include "http/http_client.h"
#include "store/store.h"

namespace galen {

struct PullOptions {
  bool offline = false;    // also by HF_HUB_OFFLINE and GALEN_OFFLINE
  std::string token_file;  // of the hub's token; empty: as FindHubToken looks for it
  HttpOptions http;
};

struct PullEvent {
  enum class Kind { kManifest, kLicense, kFile, kProgress, kNote, kVerify, kWrite, kDone };
  Kind kind;
  std::string text;    // of kNote; the licence; the file's name
  std::string digest;  // of kFile, kProgress: "sha256:...", or "sha1:..." of git
  int64_t file_done = 0, file_total = 0;
  int64_t done = 0, total = 0;  // of all files
};
using OnPullEvent = std::function<void(const PullEvent&)>;

struct Pulled {
  std::string name;      // by which it can be used from now on
  std::string revision;  // commit, or digest of the manifest
  std::string license;   // one line
  int64_t bytes = 0;
  bool was_there = false;  // nothing was fetched
};

// name: "hf:..." or "ollama:...". Errors: those of Hub, FetchBlob and SelectFiles.
Result<Pulled> PullModel(const ModelStore& store, const std::string& name,
                         const PullOptions& options, const OnPullEvent& on_event);

// Where registry.ollama.ai is reached: OLLAMA_REGISTRY of galen's environment, else itself.
std::string OllamaRegistry(const OllamaName& name);

}  // namespace galen
