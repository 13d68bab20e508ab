// galen's own store of models: content under its digest, manifests that name it, shared between
// processes. Layout below the root ($GALEN_STORE, else $XDG_DATA_HOME/galen/store):
//   blobs/sha256-HEX          content; .partial while it arrives
//   manifests/HOST/...        of Ollama models, as their registry wrote them
//   models/hf/..., models/local/...   manifests of galen (store/manifest.h)
//   views/ID/NAME/            the files of such a model under their own names, links to blobs
//   lock                      held while manifests and blobs are given and taken
// Every step is atomic: after a crash a blob is whole or partial, a manifest there or not, and
// what was being removed is removed by the next writer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/manifest.h"
#include "store/model_name.h"
#include "store/system_error.h"

namespace galen {

// How a file of a view is made; each falls back on the next where the file system has no such
// thing.
enum class Placement { kHardLink, kSymbolicLink, kCopy };
Status PlaceFile(const std::string& blob, const std::string& path, Placement first);

// Waits for the lock of an open file; false: cancelled. Io: the file system has none.
using Cancel = std::function<bool()>;
Result<bool> WaitForLock(int fd, const std::string& path, const Cancel& cancelled,
                         const std::function<void()>& on_wait = {});

class ModelStore {
 public:
  // root: empty for the default. Touches nothing.
  explicit ModelStore(std::string root = "");

  const std::string& root() const { return root_; }
  std::string BlobPath(const std::string& sha256) const;
  std::string PartialPath(const std::string& digest) const;
  // True: there, and of that size.
  bool HasBlob(const std::string& sha256, int64_t size) const;

  // Makes the folders, and finishes removals that a crash cut short, where that can be.
  Status Prepare() const;

  // Everything in the store. Manifests, and folders of them, that cannot be read are named in
  // `faults`: what they need is unknown.
  std::vector<StoredModel> Models(std::vector<std::string>* faults = nullptr) const;
  struct OllamaEntry {
    OllamaName name;
    OllamaManifest manifest;
    int64_t time = 0;
  };
  std::vector<OllamaEntry> OllamaModels(std::vector<std::string>* faults = nullptr) const;

  // NotFound: no such manifest.
  Result<StoredModel> Find(const HubName& name) const;
  Result<StoredModel> FindLocal(const std::string& name) const;
  bool Has(const OllamaName& name) const;

  // Writes the manifest, and makes the view. NotFound: a blob is missing (another process removed
  // it): fetch it again.
  Status Commit(const StoredModel& model, const Cancel& cancelled = {}) const;
  Status CommitOllama(const OllamaName& name, const std::string& manifest,
                      const Cancel& cancelled = {}) const;

  // The directory that holds the model's files under their names; made or mended as needed.
  // NotFound: a blob is missing, with what to do.
  Result<std::string> View(const StoredModel& model) const;

  struct Removed {
    int64_t bytes = 0;  // given back to the disk
    int64_t kept = 0;   // bytes that other models use
    std::vector<std::string> files;
  };
  // Takes the manifest away, and what nothing else uses. NotFound.
  Result<Removed> Remove(const StoredModel& model) const;
  Result<Removed> Remove(const OllamaName& name) const;
  // Blobs and partial files of no model, and views that are not needed; spares the file that
  // another process is fetching, not those that its pull has finished: it fetches them again.
  // dry_run: says what would go.
  Result<Removed> RemoveUnused(bool dry_run) const;

  // Paths of manifests, below the root.
  static std::string ManifestPath(const HubName& name);
  static std::string LocalManifestPath(const std::string& name);

 private:
  Result<Fd> Lock(const Cancel& cancelled) const;
  Status FinishRemovals() const;
  Result<Removed> RemoveManifest(const std::string& path) const;
  // Blobs that manifests name; false: one could not be read, so nothing may be removed.
  Status Referenced(std::vector<std::string>* digests) const;
  Result<Removed> Sweep(const std::vector<std::string>& candidates) const;
  std::string ViewPath(const StoredModel& model) const;
  void RemoveStaleViews() const;

  std::string root_;
};

}  // namespace galen
