#include "store/ollama_store.h"

#include <cstdlib>

#include "base/files.h"
#include "store/manifest.h"

namespace galen {
namespace {

constexpr size_t kMaxText = size_t{1} << 20;

Result<std::string> BlobPath(const std::string& root, const std::string& manifest,
                             const OllamaLayer& layer) {
  const std::string path = root + "/blobs/sha256-" + layer.sha256;
  if (FileExists(path)) return path;
  return NotFound(path + ", named by " + manifest + ", is missing; pull the model again");
}

}  // namespace

std::string OllamaRoot() {
  if (const char* root = std::getenv("OLLAMA_MODELS"); root != nullptr && *root != 0) return root;
  const char* home = std::getenv("HOME");
  std::string root(home == nullptr ? "" : home);
  return root.append("/.ollama/models");
}

Result<OllamaModel> FindOllamaModel(std::string_view name, const std::string& given_root) {
  const std::string root = given_root.empty() ? OllamaRoot() : given_root;
  ASSIGN_OR_RETURN(const OllamaName parsed, ParseOllamaName(name));
  const std::string path = root + "/" + parsed.manifest_path();
  if (!FileExists(path)) {
    return NotFound("no manifest at " + path +
                    "; `ollama list` shows what is there, and OLLAMA_MODELS names the store");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifest));
  ASSIGN_OR_RETURN(const OllamaManifest manifest, ParseOllamaManifest(text, path));
  OllamaModel model;
  for (const OllamaLayer& layer : manifest.layers) {
    const std::string& kind = layer.kind;
    if (kind == "adapter")
      return Unsupported(path + ": models with adapters are not read from Ollama's store");
    std::string* text = kind == "system"    ? &model.system
                        : kind == "params"  ? &model.parameters
                        : kind == "license" ? &model.license
                                            : nullptr;
    if (kind != "model" && kind != "projector" && text == nullptr) continue;
    if (text == &model.license) {  // of which there may be several; a model answers without it
      const Result<std::string> content =
          ReadFile(root + "/blobs/sha256-" + layer.sha256, kMaxText);
      if (content.ok()) *text += (text->empty() ? "" : "\n") + *content;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string blob, BlobPath(root, path, layer));
    if (text != nullptr) {
      ASSIGN_OR_RETURN(*text, ReadFile(blob, kMaxText));
      continue;
    }
    std::string& file = kind == "model" ? model.model : model.projector;
    if (!file.empty()) return Unsupported(path + ": several layers of kind '" + kind + "'");
    file = blob;
  }
  if (model.model.empty()) return DataLoss(path + ": no layer holds a model");
  return model;
}

}  // namespace galen
