#include "server/library/library.h"

#include <algorithm>

#include "base/files.h"
#include "server/library/model_names.h"
#include "server/library/redirects.h"

namespace galen::server {
namespace {

constexpr std::string_view kLatest = ":latest";
constexpr size_t kMostText = size_t{1} << 20;  // what the store reads again

std::string WithoutLatest(std::string name) {
  if (name.ends_with(kLatest)) name.erase(name.size() - kLatest.size());
  return name;
}

// A model of the store as it is offered: under the name that clients know.
Result<ModelSpec> SpecOf(const std::string& stored) {
  ASSIGN_OR_RETURN(ModelSpec spec, ParseModelSpec(stored));
  if (spec.stored != stored) {
    return InvalidArgument("a file '" + stored +
                           "' in the directory of this server hides the model of that name");
  }
  spec.name = ClientNameOf(stored);
  return spec;
}

// What --pull-from calls where a model of the store is pulled from.
Result<std::string> PlaceOf(const std::string& stored) {
  if (!IsOllamaName(stored)) return std::string("hub");
  ASSIGN_OR_RETURN(const OllamaName name, ParseOllamaName(stored));
  if (name.host == OllamaName().host) return std::string("ollama");
  // A host may be called like one of the words that --pull-from takes.
  const bool word = name.host == "hub" || name.host == "ollama";
  return word ? "https://" + name.host : name.host;
}

}  // namespace

ModelParts PartsOf(const ModelInfo& info) {
  return {info.spec.path,       info.projector(),  info.spec.system,
          info.spec.parameters, info.spec.license, info.files.config.architecture};
}

Library::Library(const ServerOptions& options, ModelRegistry* models, ServerLog* log,
                 const std::vector<ModelSpec>& fixed)
    : options_(options),
      models_(*models),
      log_(*log),
      fixed_(fixed),
      pulls_([this](const std::string& name, const Cancel& cancelled,
                    const OnPullEvent& on_event) { return Pull(name, cancelled, on_event); },
             options.max_pulls) {}

bool Library::IsFixed(const std::string& name) const {
  return std::any_of(fixed_.begin(), fixed_.end(), [&](const ModelSpec& spec) {
    if (WithoutLatest(spec.name) == WithoutLatest(name)) return true;
    return std::any_of(spec.adapters.begin(), spec.adapters.end(), [&](const AdapterSpec& one) {
      return WithoutLatest(name) == spec.name + ":" + one.name;
    });
  });
}

void Library::ReadContent(const std::string& stored) const {
  if (const Result<ModelSpec> spec = SpecOf(stored); spec.ok())
    (void)models_.ReadContent(spec->path);
}

void Library::ServeStore() {
  const auto names_of = [&](std::vector<std::string>* faults) {
    std::vector<std::string> names;
    for (const StoredModel& model : store_.Models(faults)) names.push_back(model.name);
    for (const ModelStore::OllamaEntry& entry : store_.OllamaModels(faults))
      names.push_back(entry.name.text());
    return names;
  };
  std::vector<std::string> faults;
  for (const std::string& name : names_of(&faults)) {
    if (models_.FindStored(name).empty()) ReadContent(name);
  }
  faults.clear();
  const std::lock_guard lock(changing_);
  const std::vector<std::string> names = names_of(&faults);
  for (const std::string& fault : faults) log_.Event("not_served", {{"why", fault}});
  if (faults.empty()) {  // else it is not known what is there
    for (const ModelRef& info : models_.models()) {
      const std::string& stored = info->spec.stored;
      if (stored.empty() || IsFixed(info->spec.name)) continue;
      if (std::find(names.begin(), names.end(), stored) == names.end()) models_.Remove(*info);
    }
  }
  for (const std::string& name : names) {
    if (!models_.FindStored(name).empty()) continue;
    const std::string client = ClientNameOf(name);
    const Status status = models_.Find(client) != nullptr
                              ? InvalidArgument("another model has the name '" + client + "'")
                              : Serve(name);
    if (!status.ok()) log_.Event("not_served", {{"model", name}, {"why", status.message()}});
  }
}

Status Library::Serve(const std::string& stored) {
  ASSIGN_OR_RETURN(const ModelSpec found, SpecOf(stored));
  const std::vector<ModelRef> served = models_.FindStored(stored);
  if (served.empty()) {
    RETURN_IF_ERROR(IsFree(stored));
    return models_.Put(found);
  }
  for (const ModelRef& info : served) {  // under the names, and with the adapters, that they have
    ModelSpec spec = found;
    spec.name = info->spec.name;
    spec.adapters = info->spec.adapters;
    RETURN_IF_ERROR(models_.Put(spec));
  }
  return OkStatus();
}

Result<std::string> Library::MayPull(const std::string& client_name) const {
  ASSIGN_OR_RETURN(std::string stored, StoreNameOf(client_name));
  const auto allowed = [&](const std::string& place) {
    return std::find(options_.pull_from.begin(), options_.pull_from.end(), place) !=
           options_.pull_from.end();
  };
  ASSIGN_OR_RETURN(const std::string place, PlaceOf(stored));
  if (!allowed(place)) {
    return InvalidArgument("'" + client_name + "' would be fetched from " +
                           (place == "hub"      ? "the hub of Hugging Face"
                            : place == "ollama" ? "Ollama's registry"
                                                : place) +
                           ", which --pull-from of this server does not name");
  }
  if (models_.FindStored(stored).empty() && IsFixed(ClientNameOf(stored))) {
    return InvalidArgument("'" + client_name +
                           "' is the name that the command line of this server gave to a model "
                           "of its own; it cannot be pulled");
  }
  RETURN_IF_ERROR(IsFree(stored));
  return stored;
}

Status Library::IsFree(const std::string& stored) const {
  if (!models_.FindStored(stored).empty()) return OkStatus();
  const std::string name = ClientNameOf(stored);
  const ModelRef present = models_.Find(name);
  if (present == nullptr || present->spec.stored == stored) return OkStatus();
  return InvalidArgument(
      "'" + name + "' is the name of another model (" +
      (present->spec.stored.empty() ? present->spec.path : present->spec.stored) +
      "); delete it first");
}

Result<OllamaName> Library::MayName(const std::string& client_name) const {
  ASSIGN_OR_RETURN(const std::string stored, StoreNameOf(client_name));
  if (!IsOllamaName(stored) || SaysItsStore(client_name))
    return InvalidArgument("a new model is named [namespace/]model[:tag], not '" + client_name +
                           "'");
  const std::string name = ClientNameOf(stored);
  if (IsFixed(name)) {
    return InvalidArgument("'" + client_name +
                           "' is the name of a model of this server's command line; choose "
                           "another");
  }
  const ModelRef present = models_.Find(name);
  if (present != nullptr && present->spec.stored != stored) {
    return InvalidArgument("'" + client_name + "' is the name of another model (" +
                           present->spec.stored + "); delete it first, or choose another");
  }
  return ParseOllamaName(stored);
}

Status Library::Pull(const std::string& name, const Cancel& cancelled,
                     const OnPullEvent& on_event) {
  PullOptions pull;
  pull.offline = options_.offline;
  pull.token_file = options_.token_file;
  pull.http.user_agent = "galen/" + options_.version;
  pull.http.cancelled = cancelled;
  ASSIGN_OR_RETURN(const std::string place, PlaceOf(name));
  pull.http.may_redirect = [this, place](const std::string& first, const std::string& next) {
    return MayRedirect(options_.pull_from, place, first, next);
  };
  const Result<Pulled> pulled = PullModel(store_, name, pull, on_event);
  RETURN_IF_ERROR(pulled.status());
  ReadContent(name);
  const std::lock_guard lock(changing_);
  const Status served = Serve(name);
  log_.Event("pulled", {{"model", name},
                        {"revision", pulled->revision},
                        {"bytes", pulled->bytes},
                        {"served", served.ok()}});
  if (served.ok()) return OkStatus();
  return served.WithContext("the model is in the store, but cannot be served");
}

Status Library::Compose(const OllamaName& name, const ModelParts& parts,
                        const ComposeOptions& options) {
  for (const std::string* text : {&parts.system, &parts.parameters, &parts.license}) {
    if (text->size() > kMostText) {
      return InvalidArgument(
          "the system text, the parameters and the licence of a model have at "
          "most " +
          std::to_string(kMostText) + " bytes each");
    }
  }
  ModelSpec spec;
  spec.name = ClientNameOf(name.text());
  spec.path = parts.model;
  spec.mmproj = parts.projector;
  RETURN_IF_ERROR(models_.Check(spec));
  ASSIGN_OR_RETURN(const ComposedModel composed, ComposeModel(store_, parts, options));
  RETURN_IF_ERROR(models_.ReadContent(store_.BlobPath(composed.sha256)));
  const std::lock_guard lock(changing_);
  RETURN_IF_ERROR(MayName(spec.name).status());  // the name may have been given meanwhile
  RETURN_IF_ERROR(store_.CommitOllama(name, composed.manifest, options.cancelled));
  RETURN_IF_ERROR(Serve(name.text()));
  log_.Event("created", {{"model", spec.name}});
  return OkStatus();
}

Status Library::Copy(const ModelInfo& source, const std::string& client_name,
                     const ComposeOptions& options) {
  ASSIGN_OR_RETURN(const OllamaName name, MayName(client_name));
  const ModelSpec& spec = source.spec;
  if (source.adapters != 0) {
    return InvalidArgument("'" + spec.name +
                           "' is a model with an adapter, which the store "
                           "cannot hold; `galen adapter merge` makes a model of its own of it");
  }
  if (!IsDirectory(spec.path)) {
    return Compose(name, PartsOf(source), options);
  }
  const bool plain = IsLocalName(name.model) && name.tag == OllamaName().tag &&
                     name.space == OllamaName().space && name.host == OllamaName().host;
  if (spec.stored.empty() || !plain) {
    return InvalidArgument("'" + spec.name + "' is a directory of safetensors; " +
                           (spec.stored.empty()
                                ? "`galen import` brings it into the store"
                                : "a copy of it can have a plain name only, without / and :"));
  }
  Result<StoredModel> model = store_.FindLocal(spec.stored);
  if (IsHubName(spec.stored)) {
    ASSIGN_OR_RETURN(const HubName hub, ParseHubName(spec.stored));
    model = store_.Find(hub);
  }
  RETURN_IF_ERROR(model.status());
  const std::lock_guard lock(changing_);
  RETURN_IF_ERROR(CopyStoredModel(store_, *std::move(model), name.model));
  RETURN_IF_ERROR(Serve(name.model));
  log_.Event("created", {{"model", name.model}});
  return OkStatus();
}

Status Library::Remove(const ModelInfo& info) {
  const std::string stored = info.spec.stored;
  if (stored.empty()) {
    return InvalidArgument("'" + info.spec.name +
                           "' is not of galen's store: its files belong to whoever started this "
                           "server, or to another program");
  }
  for (const ModelRef& served : models_.FindStored(stored)) {
    if (!IsFixed(served->spec.name)) continue;
    return InvalidArgument("'" + served->spec.name +
                           "' is a model of this server's command line and stays");
  }
  const std::lock_guard lock(changing_);
  Result<ModelStore::Removed> removed = ModelStore::Removed();
  if (IsOllamaName(stored)) {
    ASSIGN_OR_RETURN(const OllamaName name, ParseOllamaName(stored));
    removed = store_.Remove(name);
  } else {
    Result<StoredModel> model = store_.FindLocal(stored);
    if (IsHubName(stored)) {
      ASSIGN_OR_RETURN(const HubName hub, ParseHubName(stored));
      model = store_.Find(hub);
    }
    if (model.ok()) {
      removed = store_.Remove(*model);
    } else {
      removed = model.status();
    }
  }
  // Another program has removed it already: it is offered no longer.
  if (removed.status().code() == StatusCode::kNotFound) removed = ModelStore::Removed();
  RETURN_IF_ERROR(removed.status());
  for (const ModelRef& served : models_.FindStored(stored)) models_.Remove(*served);
  log_.Event("deleted", {{"model", info.spec.name}, {"bytes", removed->bytes}});
  return OkStatus();
}

}  // namespace galen::server
