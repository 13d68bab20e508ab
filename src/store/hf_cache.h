// The cache of Hugging Face's own tools, read in place: models--ORG--NAME/{refs,snapshots,blobs}
// below $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub. Nothing is written.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "store/model_name.h"

namespace galen {

struct CachedFile {
  std::string path;  // below the snapshot
  std::string file;  // where it lies
  std::string
      digest;  // 64 digits (SHA-256) or 40 (git's SHA-1), by the blob's name; empty: unknown
  int64_t size = 0;
};

struct CachedModel {
  HubName name;
  std::string directory;  // the snapshot
  std::string commit;
  std::vector<CachedFile> files;
  int64_t time = 0;
  int64_t bytes() const;
};

std::string HfCacheRoot();
// root: empty for HfCacheRoot(). NotFound: it has no snapshot of that revision.
Result<CachedModel> FindInHfCache(const HubName& name, const std::string& root = "");
std::vector<CachedModel> HfCacheModels(const std::string& root = "");

}  // namespace galen
