#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/output_file.h"
#include "base/sha256.h"
#include "store/digest.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

std::string DefaultRoot() {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string root = environment("GALEN_STORE"); !root.empty()) return root;
  if (std::string data = environment("XDG_DATA_HOME"); !data.empty()) return data + "/galen/store";
  return environment("HOME") + "/.local/share/galen/store";
}

// Links may lead in a circle; the store's own folders are less deep.
constexpr int kMaxDepth = 8;

// Whatever may hide a file is a fault; what is gone is none.
void AddFilesBelow(const std::string& folder, int depth, std::vector<std::string>* files,
                   std::vector<std::string>* faults) {
  const auto unread = [&](const std::string& path, const std::error_code& why) {
    if (faults != nullptr) faults->push_back("cannot read " + path + ": " + why.message());
  };
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    std::error_code unknown;
    const bool link = it->is_symlink(unknown);
    const fs::file_type type = it->status(unknown).type();
    if (type == fs::file_type::not_found && !link) continue;  // removed meanwhile
    if (type == fs::file_type::regular) {
      if (!IsTemporaryName(it->path().filename().string())) files->push_back(path);
    } else if (type == fs::file_type::directory && depth < kMaxDepth) {
      AddFilesBelow(path, depth + 1, files, faults);
    } else if (type == fs::file_type::directory) {
      unread(path, std::make_error_code(std::errc::too_many_symbolic_link_levels));
    } else if (unknown || link) {
      unread(path, unknown);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) unread(folder, error);
}

// The files below a folder, sorted; what a crash left half-written is passed over.
std::vector<std::string> FilesBelow(const std::string& folder, std::vector<std::string>* faults) {
  std::vector<std::string> files;
  AddFilesBelow(folder, 0, &files, faults);
  std::sort(files.begin(), files.end());
  return files;
}

int64_t ModifiedTime(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_mtime : 0;
}

Status MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return OkStatus();
  errno = error.value();
  return SystemError("cannot make the folder", path);
}

// Gives bytes a name below the root, and makes both last.
Status WriteManifest(const std::string& path, const std::string& text) {
  const std::string folder = fs::path(path).parent_path().string();
  RETURN_IF_ERROR(MakeFolders(folder));
  RETURN_IF_ERROR(WriteFileAtomically(path, text));
  return SyncDirectory(folder);
}

Result<StoredModel> ReadStoredModel(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifest));
  return ParseStoredModel(text, path);
}

}  // namespace

ModelStore::ModelStore(std::string root) : root_(root.empty() ? DefaultRoot() : std::move(root)) {}

std::string ModelStore::BlobPath(const std::string& sha256) const {
  return root_ + "/blobs/sha256-" + sha256;
}

std::string ModelStore::PartialPath(const std::string& digest) const {
  return root_ + "/blobs/" + digest + ".partial";
}

bool ModelStore::HasBlob(const std::string& sha256, int64_t size) const {
  struct stat info;
  return ::stat(BlobPath(sha256).c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_size == size;
}

Status ModelStore::Prepare() const {
  for (const char* folder : {"/blobs", "/manifests", "/models", "/views", "/removing"}) {
    RETURN_IF_ERROR(MakeFolders(root_ + folder));
  }
  std::error_code error;
  if (fs::is_empty(root_ + "/removing", error) && !error) return OkStatus();
  ASSIGN_OR_RETURN(const Fd lock, Lock({}));
  static_cast<void>(FinishRemovals());  // a later writer tries again; removals report it
  return OkStatus();
}

Result<Fd> ModelStore::Lock(const Cancel& cancelled) const {
  const std::string path = root_ + "/lock";
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.fd < 0) return SystemError("cannot open", path);
  ASSIGN_OR_RETURN(const bool locked, WaitForLock(file.fd, path, cancelled));
  if (!locked) return Cancelled("stopped while another galen held " + path);
  return file;
}

std::string ModelStore::ManifestPath(const HubName& name) {
  const std::string variant =
      name.variant.empty() ? std::string("_") : PercentEncode(name.variant, false);
  return "models/hf/" + name.repo + "/" + PercentEncode(name.branch(), false) + "/" + variant +
         ".json";
}

std::string ModelStore::LocalManifestPath(const std::string& name) {
  return "models/local/" + name + ".json";
}

std::vector<StoredModel> ModelStore::Models(std::vector<std::string>* faults) const {
  std::vector<StoredModel> models;
  for (const std::string& path : FilesBelow(root_ + "/models", faults)) {
    if (!path.ends_with(".json")) continue;
    Result<StoredModel> model = ReadStoredModel(path);
    if (model.ok())
      models.push_back(std::move(model).value());
    else if (faults != nullptr)
      faults->push_back(model.status().message());
  }
  return models;
}

std::vector<ModelStore::OllamaEntry> ModelStore::OllamaModels(
    std::vector<std::string>* faults) const {
  const std::string folder = root_ + "/manifests";
  std::vector<OllamaEntry> entries;
  for (const std::string& path : FilesBelow(folder, faults)) {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(path).lexically_relative(folder)) parts.push_back(part);
    if (parts.size() != 4) continue;
    const std::string text =
        "ollama:" + parts[0] + "/" + parts[1] + "/" + parts[2] + ":" + parts[3];
    Result<OllamaName> name = ParseOllamaName(text);
    if (!name.ok()) continue;
    Status status;
    if (Result<std::string> bytes = ReadFile(path, kMaxManifest); bytes.ok()) {
      Result<OllamaManifest> manifest = ParseOllamaManifest(*bytes, path);
      status = manifest.status();
      if (status.ok()) entries.push_back({*name, std::move(manifest).value(), ModifiedTime(path)});
    } else {
      status = bytes.status();
    }
    if (!status.ok() && faults != nullptr) faults->push_back(status.message());
  }
  return entries;
}

Result<StoredModel> ModelStore::Find(const HubName& name) const {
  return ReadStoredModel(root_ + "/" + ManifestPath(name));
}

Result<StoredModel> ModelStore::FindLocal(const std::string& name) const {
  return ReadStoredModel(root_ + "/" + LocalManifestPath(name));
}

bool ModelStore::Has(const OllamaName& name) const {
  return FileExists(root_ + "/" + name.manifest_path());
}

Status ModelStore::Commit(const StoredModel& model, const Cancel& cancelled) const {
  RETURN_IF_ERROR(CheckStorable(model));
  RETURN_IF_ERROR(Prepare());
  ASSIGN_OR_RETURN(const Fd lock, Lock(cancelled));
  for (const StoredFile& file : model.files) {
    if (!HasBlob(file.sha256, file.size))
      return NotFound(BlobPath(file.sha256) + " was removed by another process");
  }
  RETURN_IF_ERROR(View(model).status());
  std::string path = LocalManifestPath(model.name);
  if (IsHubName(model.name)) {
    ASSIGN_OR_RETURN(const HubName name, ParseHubName(model.name));
    path = ManifestPath(name);
  }
  RETURN_IF_ERROR(WriteManifest(root_ + "/" + path, WriteStoredModel(model)));
  RemoveStaleViews();  // of what the name stood for before
  return OkStatus();
}

Status ModelStore::CommitOllama(const OllamaName& name, const std::string& text,
                                const Cancel& cancelled) const {
  RETURN_IF_ERROR(Prepare());
  ASSIGN_OR_RETURN(const OllamaManifest manifest, ParseOllamaManifest(text, name.text()));
  ASSIGN_OR_RETURN(const Fd lock, Lock(cancelled));
  std::vector<OllamaLayer> layers = manifest.layers;
  if (!manifest.config.sha256.empty()) layers.push_back(manifest.config);
  for (const OllamaLayer& layer : layers) {
    if (!HasBlob(layer.sha256, layer.size))
      return NotFound(BlobPath(layer.sha256) + " was removed by another process");
  }
  return WriteManifest(root_ + "/" + name.manifest_path(), text);
}

std::string ModelStore::ViewPath(const StoredModel& model) const {
  std::string text;
  for (const StoredFile& file : model.files)
    text.append(file.path).append(" ").append(file.sha256).append("\n");
  const std::string id =
      Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()}).substr(0, 32);
  std::string last = model.name;
  if (const Result<HubName> hub = ParseHubName(model.name); hub.ok()) last = hub->repo;
  return root_ + "/views/" + id + "/" + last.substr(last.rfind('/') + 1);
}

Result<std::string> ModelStore::View(const StoredModel& model) const {
  const std::string folder = ViewPath(model);
  for (const StoredFile& file : model.files) {
    if (!HasBlob(file.sha256, file.size)) {
      return NotFound(file.path + " of " + model.name +
                      " is missing from the store or has another size (" + BlobPath(file.sha256) +
                      "); " +
                      (IsHubName(model.name) ? "`galen pull " + model.name + "` fetches it again"
                                             : "import it again"));
    }
    const std::string path = folder + "/" + file.path;
    struct stat info;
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size == file.size)
      continue;
    RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
    RETURN_IF_ERROR(PlaceFile(BlobPath(file.sha256), path, Placement::kHardLink));
  }
  return folder;
}

void ModelStore::RemoveStaleViews() const {
  std::vector<std::string> faults;
  std::vector<std::string> wanted;
  for (const StoredModel& model : Models(&faults))
    wanted.push_back(fs::path(ViewPath(model)).parent_path().filename().string());
  if (!faults.empty()) return;
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator it(root_ + "/views", error), end; !error && it != end;
       it.increment(error)) {
    if (std::find(wanted.begin(), wanted.end(), it->path().filename().string()) == wanted.end())
      stale.push_back(it->path());
  }
  for (const fs::path& path : stale) fs::remove_all(path, error);
}

}  // namespace galen
