#include <ctime>

#include "store/hub.h"
#include "store/pull_parts.h"

namespace galen {
namespace {

bool IsWhole(const ModelStore& store, const StoredModel& model) {
  for (const StoredFile& file : model.files) {
    if (!store.HasBlob(file.sha256, file.size)) return false;
  }
  return true;
}

// Small files are named by git's SHA-1: what earlier pulls wrote down says which blobs they are.
std::string KnownBlob(const ModelStore& store, const std::vector<StoredModel>& models,
                      const RepoFile& wanted) {
  for (const StoredModel& model : models) {
    for (const StoredFile& file : model.files) {
      if (file.git_sha1 == wanted.git_sha1 && file.size == wanted.size &&
          store.HasBlob(file.sha256, file.size)) {
        return file.sha256;
      }
    }
  }
  return "";
}

}  // namespace

Result<Pulled> PullFromHub(const ModelStore& store, const HubName& name, const PullOptions& options,
                           const OnPullEvent& on_event) {
  const Result<StoredModel> present = store.Find(name);
  Pulled pulled;
  pulled.name = name.text();
  if (options.offline) {
    if (!present.ok() || !IsWhole(store, *present)) return NotFetchedOffline(pulled.name, store);
    pulled.revision = present->revision;
    pulled.license = present->license.text();
    pulled.bytes = present->bytes();
    pulled.was_there = true;
    RETURN_IF_ERROR(store.View(*present).status());
    return pulled;
  }
  ASSIGN_OR_RETURN(HubToken token, FindHubToken(options.token_file));
  HttpClient http(options.http);
  const Hub hub(&http, std::move(token));
  Say(on_event, PullEvent::Kind::kManifest, pulled.name);
  ASSIGN_OR_RETURN(const HubModel remote, hub.Model(name));
  ASSIGN_OR_RETURN(Selection selection, SelectFiles(remote.files, name.variant, pulled.name));
  for (RepoFile& file : selection.files) RETURN_IF_ERROR(hub.Complete(name, remote.commit, &file));
  StoredModel model;
  model.name = pulled.name;
  model.source = hub.PageOf(name);
  model.revision = remote.commit;
  model.format = selection.format;
  model.entry = selection.entry;
  model.projector = selection.projector;
  model.license = remote.license;
  model.gated = !remote.gated.empty();
  model.time = std::time(nullptr);
  pulled.revision = remote.commit;
  pulled.license = remote.license.text();
  for (const RepoFile& file : selection.files)
    model.files.push_back({file.path, file.sha256, file.git_sha1, file.size});
  RETURN_IF_ERROR(CheckStorable(model));
  pulled.bytes = model.bytes();
  Say(on_event, PullEvent::Kind::kLicense, pulled.license);
  const std::vector<StoredModel> known = store.Models();
  std::vector<BlobSource> sources;
  for (const RepoFile& file : selection.files) {
    sources.push_back({file.path, hub.File(name, remote.commit, file.path), file.size, file.sha256,
                       file.git_sha1});
    if (file.sha256.empty()) sources.back().sha256 = KnownBlob(store, known, file);
  }
  pulled.was_there = present.ok() && present->revision == remote.commit && IsWhole(store, *present);
  RETURN_IF_ERROR(store.Prepare());
  int64_t room = 0;
  for (const BlobSource& source : sources) room += RoomFor(store, source);
  RETURN_IF_ERROR(CheckRoom(store, room));
  Status status;
  for (int round = 0; round < kMaxPullRounds; ++round) {
    PullMeter meter(on_event, pulled.bytes);
    model.files.clear();
    for (const BlobSource& source : sources) {
      ASSIGN_OR_RETURN(
          const std::string sha256,
          FetchBlob(
              store, &http, source, [&](const HttpResponse& r) { return hub.Explain(name, r); },
              meter.EventsOf(source)));
      meter.Next();
      model.files.push_back({source.what, sha256, source.git_sha1, source.size});
    }
    Say(on_event, PullEvent::Kind::kWrite);
    status = store.Commit(model, options.http.cancelled);
    if (status.code() != StatusCode::kNotFound) break;
  }
  RETURN_IF_ERROR(status);
  Say(on_event, PullEvent::Kind::kDone);
  return pulled;
}

}  // namespace galen
