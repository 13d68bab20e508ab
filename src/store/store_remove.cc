// Removal from the store. First the manifest moves to removing/, from which on the model is gone;
// then go the blobs that no other manifest names; then the manifest. A crash in between leaves it
// in removing/, and the next writer goes on from there.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/output_file.h"
#include "base/sha256.h"
#include "store/store.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> DigestsOf(const StoredModel& model) {
  std::vector<std::string> digests;
  for (const StoredFile& file : model.files) digests.push_back(file.sha256);
  return digests;
}

std::vector<std::string> DigestsOf(const OllamaManifest& manifest) {
  std::vector<std::string> digests;
  for (const OllamaLayer& layer : manifest.layers) digests.push_back(layer.sha256);
  if (!manifest.config.sha256.empty()) digests.push_back(manifest.config.sha256);
  return digests;
}

// The blobs that a manifest of either kind names; none if it cannot be read.
std::vector<std::string> DigestsInFile(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxManifest);
  if (!text.ok()) return {};
  if (const auto model = ParseStoredModel(*text, path); model.ok()) return DigestsOf(*model);
  if (const auto manifest = ParseOllamaManifest(*text, path); manifest.ok())
    return DigestsOf(*manifest);
  return {};
}

int64_t BytesOnDisk(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

// Of a name in blobs/: the digest of a whole blob, else empty.
std::string WholeBlob(const std::string& file) {
  constexpr std::string_view kPrefix = "sha256-";
  return file.starts_with(kPrefix) && file.size() == kPrefix.size() + 64
             ? file.substr(kPrefix.size())
             : "";
}

}  // namespace

Status ModelStore::Referenced(std::vector<std::string>* digests) const {
  std::vector<std::string> faults;
  for (const StoredModel& model : Models(&faults)) {
    for (std::string& digest : DigestsOf(model)) digests->push_back(std::move(digest));
  }
  for (const OllamaEntry& entry : OllamaModels(&faults)) {
    for (std::string& digest : DigestsOf(entry.manifest)) digests->push_back(std::move(digest));
  }
  if (faults.empty()) return OkStatus();
  return DataLoss("nothing is removed, since it is not known what this manifest needs: " +
                  faults[0] + "; make it readable, delete it or pull its model again");
}

Result<ModelStore::Removed> ModelStore::Sweep(const std::vector<std::string>& candidates) const {
  std::vector<std::string> list;
  RETURN_IF_ERROR(Referenced(&list));
  const std::set<std::string> used(list.begin(), list.end());
  RemoveStaleViews();
  Removed removed;
  for (const std::string& digest : std::set<std::string>(candidates.begin(), candidates.end())) {
    const std::string path = BlobPath(digest);
    const int64_t size = BytesOnDisk(path);
    if (used.contains(digest)) {
      removed.kept += size;
    } else if (::unlink(path.c_str()) == 0) {
      removed.bytes += size;
      removed.files.push_back(path);
    } else if (errno != ENOENT) {
      return SystemError("cannot remove", path);
    }
  }
  return removed;
}

Status ModelStore::FinishRemovals() const {
  std::error_code error;
  std::vector<std::string> left;
  for (fs::directory_iterator it(root_ + "/removing", error), end; !error && it != end;
       it.increment(error)) {
    left.push_back(it->path().string());
  }
  for (const std::string& path : left) {
    RETURN_IF_ERROR(Sweep(DigestsInFile(path)).status());
    ::unlink(path.c_str());
  }
  return OkStatus();
}

Result<ModelStore::Removed> ModelStore::RemoveManifest(const std::string& relative) const {
  const std::string path = root_ + "/" + relative;
  if (!FileExists(path)) return NotFound("there is no manifest " + path);
  RETURN_IF_ERROR(Prepare());
  ASSIGN_OR_RETURN(const Fd lock, Lock({}));
  RETURN_IF_ERROR(FinishRemovals());
  std::vector<std::string> used;
  RETURN_IF_ERROR(Referenced(&used));  // before anything is gone
  const std::vector<std::string> candidates = DigestsInFile(path);
  const std::string id =
      Sha256Hex({reinterpret_cast<const uint8_t*>(relative.data()), relative.size()});
  const std::string aside = root_ + "/removing/" + id.substr(0, 32);
  if (::rename(path.c_str(), aside.c_str()) != 0) return SystemError("cannot remove", path);
  RETURN_IF_ERROR(SyncDirectory(root_ + "/removing"));
  Result<Removed> removed = Sweep(candidates);
  RETURN_IF_ERROR(removed.status());  // the next writer goes on
  ::unlink(aside.c_str());
  std::error_code error;
  // Folders that are empty now; remove() refuses the first that is not.
  for (fs::path folder = fs::path(path).parent_path();
       folder.lexically_relative(root_).string().find('/') != std::string::npos;
       folder = folder.parent_path()) {
    if (!fs::remove(folder, error) || error) break;
  }
  return removed;
}

Result<ModelStore::Removed> ModelStore::Remove(const StoredModel& model) const {
  if (!IsHubName(model.name)) return RemoveManifest(LocalManifestPath(model.name));
  ASSIGN_OR_RETURN(const HubName name, ParseHubName(model.name));
  return RemoveManifest(ManifestPath(name));
}

Result<ModelStore::Removed> ModelStore::Remove(const OllamaName& name) const {
  return RemoveManifest(name.manifest_path());
}

Result<ModelStore::Removed> ModelStore::RemoveUnused(bool dry_run) const {
  Removed removed;
  if (!IsDirectory(root_ + "/blobs")) return removed;
  Fd lock;
  std::vector<std::string> list;
  if (!dry_run) {
    RETURN_IF_ERROR(Prepare());
    ASSIGN_OR_RETURN(lock, Lock({}));
    RETURN_IF_ERROR(FinishRemovals());
  }
  RETURN_IF_ERROR(Referenced(&list));
  const std::set<std::string> used(list.begin(), list.end());
  if (!dry_run) RemoveStaleViews();
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(root_ + "/blobs", error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string digest = WholeBlob(name);
    const std::string path = root_ + "/blobs/" + name;
    if (!digest.empty() && used.contains(digest)) continue;
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    // A partial file that another process is filling is locked.
    if (file.fd < 0 || ::flock(file.fd, LOCK_EX | LOCK_NB) != 0) continue;
    const int64_t size = BytesOnDisk(path);
    if (!dry_run && ::unlink(path.c_str()) != 0) return SystemError("cannot remove", path);
    removed.bytes += size;
    removed.files.push_back(path);
  }
  return removed;
}

}  // namespace galen
