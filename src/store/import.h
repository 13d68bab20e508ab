// Files of this machine into the store, under a name.
#pragma once

#include <functional>
#include <string>

#include "store/digest.h"
#include "store/store.h"

namespace galen {

struct ImportOptions {
  std::string name;      // empty: the name of the file or directory
  bool replace = false;  // a name that stands for something else already
  OnBytes on_bytes;      // of each piece that was copied
  Cancel cancelled;
};

// What would be copied: a GGUF file with the projector beside it that the caller names (empty:
// none), or the files of a Hugging Face directory that galen loads. The paths of `files` are those
// in the store, `sources` where they lie; digests come with Import.
struct ImportPlan {
  StoredModel model;
  std::vector<std::string> sources;
};
// NotFound, InvalidArgument, Unsupported, as SelectFiles.
Result<ImportPlan> PlanImport(const std::string& path, const std::string& projector);

// Copies, each file under its digest. Files that are in the store already cost no room.
// InvalidArgument: no name for a model, or one that is taken.
Result<StoredModel> ImportModel(const ModelStore& store, ImportPlan plan,
                                const ImportOptions& options);

}  // namespace galen
