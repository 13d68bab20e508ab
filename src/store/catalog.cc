#include "store/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/builtin_files.h"
#include "base/files.h"
#include "store/hf_cache.h"
#include "store/ollama_store.h"

namespace galen {
namespace {

constexpr size_t kMaxLicense = size_t{1} << 20;

std::string FirstLine(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxLicense);
  if (!text.ok()) return "";
  const size_t begin = text->find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  License line;
  line.id = text->substr(begin, std::min<size_t>(text->find('\n', begin) - begin, 100));
  return line.text();
}

// Folders of the program that have a config.json. Their files are as sound as the program is.
void AddBuiltin(std::vector<CatalogEntry>* list) {
  constexpr std::string_view kConfig = "/config.json";
  for (const BuiltinFile& config : BuiltinFiles()) {
    if (!config.path.ends_with(kConfig)) continue;
    const std::string_view folder = config.path.substr(0, config.path.size() - kConfig.size());
    CatalogEntry entry;
    entry.name = folder.substr(kBuiltinPrefix.size());
    entry.place = "builtin";
    entry.format = "safetensors";
    entry.license = "Apache-2.0";  // the program's own
    for (const BuiltinFile& file : BuiltinFilesIn(folder)) {
      entry.files.push_back({std::string(file.path), "", static_cast<int64_t>(file.bytes.size())});
      entry.bytes += entry.files.back().size;
    }
    list->push_back(std::move(entry));
  }
}

void AddOllama(const ModelStore& store, const char* place, std::vector<CatalogEntry>* list,
               std::vector<std::string>* faults) {
  for (const ModelStore::OllamaEntry& model : store.OllamaModels(faults)) {
    CatalogEntry entry;
    entry.name = model.name.text();
    entry.place = place;
    entry.format = "gguf";
    entry.bytes = model.manifest.bytes();
    entry.time = model.time;
    std::vector<OllamaLayer> layers = model.manifest.layers;
    if (!model.manifest.config.sha256.empty()) layers.push_back(model.manifest.config);
    for (const OllamaLayer& layer : layers)
      entry.files.push_back({store.BlobPath(layer.sha256), layer.sha256, layer.size});
    entry.license = LicenseOfOllama(store, model.manifest);
    list->push_back(std::move(entry));
  }
}

Result<std::string> GitBlobOfFile(const std::string& path, int64_t size, const OnBytes& on_bytes) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return SystemError("cannot open", path);
  Digest digest = Digest::GitBlob(size);
  RETURN_IF_ERROR(AddFileBytes(file.fd, size, path, {&digest}, on_bytes));
  return digest.Hex();
}

}  // namespace

std::string LicenseOfOllama(const ModelStore& store, const OllamaManifest& manifest) {
  const OllamaLayer* license = manifest.Find("license");
  return license == nullptr ? "" : FirstLine(store.BlobPath(license->sha256));
}

std::vector<CatalogEntry> ListModels(const ModelStore& store, std::vector<std::string>* faults) {
  std::vector<CatalogEntry> list;
  AddBuiltin(&list);
  for (const StoredModel& model : store.Models(faults)) {
    CatalogEntry entry{model.name,     "store",       model.format, model.license.text(),
                       model.revision, model.bytes(), model.time,   {}};
    for (const StoredFile& file : model.files)
      entry.files.push_back({store.BlobPath(file.sha256), file.sha256, file.size});
    list.push_back(std::move(entry));
  }
  AddOllama(store, "store", &list, faults);
  const std::string ollama = OllamaRoot();
  if (ollama != store.root()) AddOllama(ModelStore(ollama), "ollama", &list, faults);
  for (const CachedModel& model : HfCacheModels()) {
    CatalogEntry entry;
    entry.name = model.name.text();
    entry.place = "hf-cache";
    entry.revision = model.commit;
    entry.bytes = model.bytes();
    entry.time = model.time;
    for (const CachedFile& file : model.files) {
      entry.files.push_back({file.file, file.digest, file.size});
      if (file.path.ends_with(".gguf")) entry.format = "gguf";
      if (file.path.ends_with(".safetensors")) entry.format = "safetensors";
    }
    if (!entry.format.empty()) list.push_back(std::move(entry));
  }
  return list;
}

Result<std::vector<std::string>> CheckEntry(const CatalogEntry& entry, std::set<std::string>* sound,
                                            const OnBytes& on_bytes) {
  std::vector<std::string> faults;
  for (const CatalogFile& file : entry.files) {
    if (IsBuiltinPath(file.path)) continue;
    struct stat info;
    if (::stat(file.path.c_str(), &info) != 0) {
      faults.push_back(file.path + " is missing");
      continue;
    }
    if (info.st_size != file.size) {
      faults.push_back(file.path + " has " + std::to_string(info.st_size) + " bytes, not " +
                       std::to_string(file.size));
      continue;
    }
    if (file.digest.empty() || sound->contains(file.path)) continue;
    const Result<std::string> found = file.digest.size() == 64
                                          ? Sha256OfFile(file.path, on_bytes)
                                          : GitBlobOfFile(file.path, file.size, on_bytes);
    if (found.status().code() == StatusCode::kCancelled) return found.status();
    if (!found.ok())
      faults.push_back(found.status().message());
    else if (*found != file.digest)
      faults.push_back(file.path + " is damaged: its digest is another");
    else
      sound->insert(file.path);
  }
  return faults;
}

}  // namespace galen
