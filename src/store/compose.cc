#include "store/compose.h"

#include <sys/stat.h>

#include <ctime>

#include "base/json.h"
#include "store/blob_writer.h"
#include "store/transfer.h"

namespace galen {
namespace {

constexpr std::string_view kMediaType = "application/vnd.ollama.image.";

Json LayerOf(const std::string& type, const StoredFile& file) {
  return {{"mediaType", type}, {"digest", "sha256:" + file.sha256}, {"size", file.size}};
}

// Its content as a blob: read for its digest, and copied where the store lacks it.
Result<StoredFile> BlobOfFile(const ModelStore& store, const std::string& path,
                              const ComposeOptions& options) {
  const auto go_on = [&](int64_t) { return !options.cancelled || !options.cancelled(); };
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return SystemError("cannot open", path);
  StoredFile file;
  file.size = info.st_size;
  ASSIGN_OR_RETURN(file.sha256, Sha256OfFile(path, go_on));
  const bool there = store.HasBlob(file.sha256, file.size);
  if (options.on_status) {
    options.on_status((there ? "using existing layer sha256:" : "creating new layer sha256:") +
                      file.sha256);
  }
  if (there) return file;
  RETURN_IF_ERROR(CheckRoom(store, file.size));
  return CopyToBlob(store, path, go_on, options.cancelled);
}

}  // namespace

Result<ComposedModel> ComposeModel(const ModelStore& store, const ModelParts& parts,
                                   const ComposeOptions& options) {
  ComposedModel composed;
  RETURN_IF_ERROR(store.Prepare());
  Json layers = Json::array(), diffs = Json::array();
  const auto add = [&](const char* kind, const StoredFile& file) {
    layers.push_back(LayerOf(std::string(kMediaType) + kind, file));
    diffs.push_back("sha256:" + file.sha256);
  };
  const std::pair<const char*, const std::string*> files[] = {{"model", &parts.model},
                                                              {"projector", &parts.projector}};
  for (const auto& [kind, path] : files) {
    if (path->empty()) continue;
    ASSIGN_OR_RETURN(const StoredFile file, BlobOfFile(store, *path, options));
    add(kind, file);
    if (path == &parts.model) composed.sha256 = file.sha256;
  }
  const std::pair<const char*, const std::string*> texts[] = {
      {"system", &parts.system}, {"params", &parts.parameters}, {"license", &parts.license}};
  for (const auto& [kind, text] : texts) {
    if (text->empty()) continue;
    ASSIGN_OR_RETURN(const StoredFile file, WriteBlob(store, *text));
    add(kind, file);
  }
  const Json config = {{"model_format", "gguf"},
                       {"model_family", parts.family},
                       {"model_families", Json::array({parts.family})},
                       {"rootfs", {{"type", "layers"}, {"diff_ids", diffs}}}};
  ASSIGN_OR_RETURN(const StoredFile blob, WriteBlob(store, config.dump()));
  const Json manifest = {
      {"schemaVersion", 2},
      {"mediaType", "application/vnd.docker.distribution.manifest.v2+json"},
      {"config", LayerOf("application/vnd.docker.container.image.v1+json", blob)},
      {"layers", layers}};
  if (options.on_status) options.on_status("writing manifest");
  composed.manifest = manifest.dump();
  return composed;
}

Status CopyStoredModel(const ModelStore& store, StoredModel model, const std::string& name) {
  model.name = name;
  model.time = std::time(nullptr);
  return store.Commit(model);
}

}  // namespace galen
