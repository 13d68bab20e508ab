#include "store/ollama_store.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/files.h"
#include "base/json.h"

namespace galen {
namespace {

constexpr std::string_view kPrefix = "ollama:";
constexpr size_t kMaxManifest = size_t{1} << 20;
constexpr size_t kMaxText = size_t{1} << 20;
constexpr std::string_view kMediaType = "application/vnd.ollama.image.";

std::string DefaultRoot() {
  if (const char* root = std::getenv("OLLAMA_MODELS"); root != nullptr && *root != 0) return root;
  const char* home = std::getenv("HOME");
  std::string root(home == nullptr ? "" : home);
  return root.append("/.ollama/models");
}

// Letters, digits and -_. (and a port in a host): nothing that leads out of the store.
bool IsPlain(std::string_view part, bool host) {
  if (part.empty() || part.size() > 255 || part[0] == '.') return false;
  return std::all_of(part.begin(), part.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || (host && c == ':');
  });
}

Result<std::string> ManifestPath(std::string_view name) {
  std::string_view rest = name.substr(kPrefix.size());
  std::string_view tag = "latest";
  const size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  std::vector<std::string_view> parts;
  for (size_t slash; (slash = rest.find('/')) != std::string_view::npos;
       rest.remove_prefix(slash + 1)) {
    parts.push_back(rest.substr(0, slash));
  }
  parts.push_back(rest);
  if (parts.size() == 1) parts.insert(parts.begin(), "library");
  if (parts.size() == 2) parts.insert(parts.begin(), "registry.ollama.ai");
  bool plain = parts.size() == 3 && IsPlain(tag, false);
  for (size_t i = 0; plain && i < parts.size(); ++i) plain = IsPlain(parts[i], i == 0);
  if (!plain) {
    std::string shown(name.substr(0, 200));
    return InvalidArgument(shown.append(
        " is no name of an Ollama model; expected ollama:[host/][namespace/]model[:tag]"));
  }
  std::string path = "/manifests";
  for (const std::string_view part : parts) path.append("/").append(part);
  return path.append("/").append(tag);
}

Result<std::string> BlobPath(const std::string& root, const std::string& manifest,
                             const Json& layer) {
  constexpr std::string_view kDigest = "sha256:";
  const Json digest = layer.value("digest", Json());
  if (digest.is_string()) {
    const std::string text = digest.get<std::string>();
    const bool hex =
        text.size() == kDigest.size() + 64 && text.starts_with(kDigest) &&
        text.find_first_not_of("0123456789abcdef", kDigest.size()) == std::string::npos;
    if (hex) {
      std::string path = root + "/blobs/sha256-" + text.substr(kDigest.size());
      if (FileExists(path)) return path;
      return NotFound(path + ", named by " + manifest +
                      ", is missing; pull the model again with Ollama");
    }
  }
  return DataLoss(manifest + ": a layer has no sha256 digest");
}

}  // namespace

bool IsOllamaName(std::string_view name) { return name.starts_with(kPrefix); }

Result<OllamaModel> FindOllamaModel(std::string_view name, const std::string& given_root) {
  const std::string root = given_root.empty() ? DefaultRoot() : given_root;
  ASSIGN_OR_RETURN(const std::string relative, ManifestPath(name));
  const std::string manifest = root + relative;
  if (!FileExists(manifest)) {
    return NotFound("no manifest at " + manifest +
                    "; `ollama list` shows what is there, and OLLAMA_MODELS names the store");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(manifest, kMaxManifest));
  const Result<Json> json = ParseJson(text);
  if (!json.ok()) return json.status().WithContext(manifest);
  if (!json->is_object() || !json->contains("layers") || !(*json)["layers"].is_array()) {
    return DataLoss(manifest + ": no manifest with layers");
  }
  OllamaModel model;
  for (const Json& layer : (*json)["layers"]) {
    if (!layer.is_object() || !layer.value("mediaType", Json()).is_string()) {
      return DataLoss(manifest + ": a layer has no mediaType");
    }
    const std::string type = layer["mediaType"].get<std::string>();
    if (!type.starts_with(kMediaType)) continue;
    const std::string kind = type.substr(kMediaType.size());
    if (kind == "adapter")
      return Unsupported(manifest + ": models with adapters are not read from Ollama's store");
    if (kind != "model" && kind != "projector" && kind != "system") continue;
    ASSIGN_OR_RETURN(const std::string blob, BlobPath(root, manifest, layer));
    if (kind == "system") {
      ASSIGN_OR_RETURN(model.system, ReadFile(blob, kMaxText));
      continue;
    }
    std::string& path = kind == "model" ? model.model : model.projector;
    if (!path.empty()) return Unsupported(manifest + ": several layers of kind '" + kind + "'");
    path = blob;
  }
  if (model.model.empty()) return DataLoss(manifest + ": no layer holds a model");
  return model;
}

}  // namespace galen
