#include "store/resolve.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/builtin_files.h"
#include "base/files.h"
#include "base/nearest_name.h"
#include "store/catalog.h"
#include "store/hf_cache.h"
#include "store/ollama_store.h"
#include "store/select_files.h"

namespace galen {
namespace {

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

// "; near it: hf:...; `galen list` ...".
std::string Hint(const ModelStore& store, const std::string& wrong) {
  std::vector<std::string> names;
  for (const CatalogEntry& entry : ListModels(store)) names.push_back(entry.name);
  std::vector<std::pair<size_t, std::string>> near;
  const size_t limit = wrong.size() / 3 + 1;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(wrong, name, limit);
    if (distance <= limit) near.emplace_back(distance, name);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  std::string hint;
  for (const auto& [distance, name] : near) hint += (hint.empty() ? "; near it: " : ", ") + name;
  return hint + "; `galen list` shows what is here";
}

Result<ModelLocation> FromStored(const ModelStore& store, const StoredModel& model) {
  ASSIGN_OR_RETURN(const std::string directory, store.View(model));
  ModelLocation location;
  location.path = model.entry.empty() ? directory : directory + "/" + model.entry;
  if (!model.projector.empty()) location.projector = directory + "/" + model.projector;
  location.license = model.license.text();
  location.name = model.name;
  location.place = "store";
  return location;
}

Result<ModelLocation> FromCache(const CachedModel& model) {
  std::vector<RepoFile> files;
  for (const CachedFile& file : model.files) files.push_back({file.path, file.size, "", ""});
  ASSIGN_OR_RETURN(const Selection selection,
                   SelectFiles(files, model.name.variant, model.name.text()));
  ModelLocation location;
  location.path =
      selection.entry.empty() ? model.directory : model.directory + "/" + selection.entry;
  if (!selection.projector.empty())
    location.projector = model.directory + "/" + selection.projector;
  location.place = "hf-cache";
  return location;
}

Result<ModelLocation> LocateHub(const ModelStore& store, const std::string& argument) {
  ASSIGN_OR_RETURN(const HubName name, ParseHubName(argument));
  Result<StoredModel> exact = store.Find(name);
  if (exact.ok()) return FromStored(store, *exact);
  if (exact.status().code() != StatusCode::kNotFound) return exact.status();
  // Without a variant, the only one that was pulled will do.
  std::vector<StoredModel> others;
  for (StoredModel& model : store.Models()) {
    if (!IsHubName(model.name)) continue;
    const Result<HubName> other = ParseHubName(model.name);
    if (other.ok() && name.variant.empty() && other->repo == name.repo &&
        other->branch() == name.branch()) {
      others.push_back(std::move(model));
    }
  }
  if (others.size() == 1) return FromStored(store, others[0]);
  if (others.size() > 1) {
    std::string list;
    for (const StoredModel& model : others) list += (list.empty() ? "" : ", ") + model.name;
    return InvalidArgument(argument + " may be any of these: " + list);
  }
  if (const Result<CachedModel> cached = FindInHfCache(name); cached.ok())
    return FromCache(*cached);
  return NotFound(argument + " is not in the store (" + store.root() + "); `galen pull " +
                  argument + "` fetches it" + Hint(store, argument));
}

Result<ModelLocation> LocateOllama(const ModelStore& store, const std::string& argument) {
  ASSIGN_OR_RETURN(const OllamaName name, ParseOllamaName(argument));
  const bool here = store.Has(name);
  Result<OllamaModel> found = FindOllamaModel(argument, here ? store.root() : "");
  if (!here && found.status().code() == StatusCode::kNotFound) {
    return NotFound(found.status().message() + "; `galen pull " + argument + "` fetches it" +
                    Hint(store, argument));
  }
  RETURN_IF_ERROR(found.status());
  ModelLocation location;
  location.path = found->model;
  location.projector = found->projector;
  location.system = found->system;
  location.parameters = found->parameters;
  location.license = found->license;
  if (here) location.name = name.text();
  location.place = here ? "store" : "ollama";
  return location;
}

}  // namespace

Result<ModelLocation> LocateModel(const std::string& argument, const ModelStore& store) {
  if (IsOllamaName(argument)) return LocateOllama(store, argument);
  if (IsHubName(argument)) return LocateHub(store, argument);
  ModelLocation location;
  location.path = argument;
  if (argument.empty() || Exists(argument)) return location;
  if (const std::string builtin = std::string(kBuiltinPrefix) + argument;
      IsBuiltinFolder(builtin)) {
    location.path = builtin;
    location.place = "builtin";
    return location;
  }
  const bool file = argument.ends_with(".gguf") || argument.ends_with(".safetensors");
  if (!file && std::count(argument.begin(), argument.end(), '/') == 1 &&
      ParseHubName("hf:" + argument).ok()) {
    return NotFound(argument +
                    ": no such file or directory; name a GGUF file or the directory of a Hugging "
                    "Face checkpoint, or hf:" +
                    argument + " for a model of the hub, which `galen pull` fetches");
  }
  if (file || !IsLocalName(argument)) return location;
  const Result<StoredModel> model = store.FindLocal(argument);
  if (model.ok()) return FromStored(store, *model);
  if (model.status().code() != StatusCode::kNotFound) return model.status();
  return NotFound("there is no file or directory '" + argument +
                  "', and no model of that name in the store (" + store.root() +
                  "); `galen pull hf:org/name` or `galen pull ollama:name` fetches one" +
                  Hint(store, argument));
}

}  // namespace galen
