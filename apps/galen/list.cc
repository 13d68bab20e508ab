// galen list: the models that names can mean on this machine. galen rm: out of the store.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <set>

#include "base/memory.h"
#include "base/nearest_name.h"
#include "base/rfc3339.h"
#include "commands.h"
#include "progress.h"
#include "session.h"
#include "stop_signal.h"
#include "store/catalog.h"

namespace galen::cli {
namespace {

struct ListOptions {
  bool check = false;
  bool json = false;
};

struct RmOptions {
  std::string name;
  bool unused = false;
  bool json = false;
};

Json EntryJson(const CatalogEntry& e) {
  return {{"name", e.name},
          {"place", e.place},
          {"format", e.format},
          {"bytes", e.bytes},
          {"license", e.license},
          {"revision", e.revision},
          {"modified", e.time == 0 ? Json() : Json(Rfc3339(e.time))},
          {"files", e.files.size()}};
}

// Hashes everything once, however many models share it.
Status CheckAll(const std::vector<CatalogEntry>& list, Json* models, int64_t* damaged) {
  const std::atomic<bool>& stop = CatchStopSignals();
  int64_t total = 0;
  std::set<std::string> paths, sound;
  for (const CatalogEntry& entry : list) {
    for (const CatalogFile& file : entry.files)
      total += paths.insert(file.path).second ? file.size : 0;
  }
  Progress bar("MB", total / 1'000'000);
  int64_t bytes = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    ASSIGN_OR_RETURN(const std::vector<std::string> faults,
                     CheckEntry(list[i], &sound, [&](int64_t n) {
                       const int64_t before = bytes / 1'000'000;
                       bytes += n;
                       if (bytes / 1'000'000 > before) bar.Add(bytes / 1'000'000 - before);
                       return !stop.load();
                     }));
    (*models)[i]["check"] = faults.empty() ? "ok" : "damaged";
    if (!faults.empty()) (*models)[i]["faults"] = faults;
    *damaged += faults.empty() ? 0 : 1;
  }
  return OkStatus();
}

void Print(const Json& models, const ListOptions& o) {
  size_t width = 4;
  for (const Json& m : models) width = std::max(width, m["name"].get<std::string>().size());
  std::printf("%-*s  %-8s  %9s  %-11s  %s%s\n", static_cast<int>(width), "name", "place", "size",
              "format", o.check ? "check    " : "", "licence");
  for (const Json& m : models) {
    const auto text = [&](const char* key) { return m.value(key, std::string()); };
    std::string license = text("license").empty() ? "not stated" : text("license");
    if (license.size() > 60) license = license.substr(0, 57) + "...";
    std::printf("%-*s  %-8s  %9s  %-11s  %s%s\n", static_cast<int>(width), text("name").c_str(),
                text("place").c_str(), FormatBytes(m["bytes"].get<int64_t>()).c_str(),
                text("format").c_str(),
                !o.check                ? ""
                : text("check") == "ok" ? "ok       "
                                        : "DAMAGED  ",
                license.c_str());
    for (const Json& fault : m.value("faults", Json::array()))
      std::printf("    %s\n", fault.get<std::string>().c_str());
  }
}

Status List(const ListOptions& o) {
  const ModelStore store;
  std::vector<std::string> faults;
  const std::vector<CatalogEntry> list = ListModels(store, &faults);
  Json models = Json::array();
  for (const CatalogEntry& entry : list) models.push_back(EntryJson(entry));
  int64_t damaged = 0;
  if (o.check) RETURN_IF_ERROR(CheckAll(list, &models, &damaged));
  ModelStore::Removed unused;
  if (faults.empty()) {
    ASSIGN_OR_RETURN(unused, store.RemoveUnused(true));
  }
  if (o.json) {
    std::cout << Json{{"store", store.root()},
                      {"models", models},
                      {"faults", faults},
                      {"unused_bytes", unused.bytes},
                      {"unused_files", unused.files}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << "\n";
  } else {
    if (models.empty())
      std::printf("no models; `galen pull hf:org/name` fetches one into %s\n",
                  store.root().c_str());
    else
      Print(models, o);
    for (const std::string& fault : faults) std::printf("unreadable: %s\n", fault.c_str());
    if (unused.bytes > 0) {
      std::printf(
          "%s in %zu files are of no model (pulls that ended early, which the same pull goes on "
          "with); `galen rm --unused` removes them\n",
          FormatBytes(unused.bytes).c_str(), unused.files.size());
    }
  }
  if (damaged + static_cast<int64_t>(faults.size()) == 0) return OkStatus();
  if (damaged == 0)
    return DataLoss(std::to_string(faults.size()) + " manifests cannot be read; see above");
  return DataLoss(std::to_string(damaged) +
                  " models are damaged: remove them (galen rm NAME) and pull or import them again");
}

Result<ModelStore::Removed> Remove(const ModelStore& store, const std::string& name) {
  Status missing;
  if (IsOllamaName(name)) {
    ASSIGN_OR_RETURN(const OllamaName parsed, ParseOllamaName(name));
    if (store.Has(parsed)) return store.Remove(parsed);
  } else if (IsHubName(name) || IsLocalName(name)) {
    Result<StoredModel> model = Status(StatusCode::kNotFound, "");
    if (IsHubName(name)) {
      ASSIGN_OR_RETURN(const HubName parsed, ParseHubName(name));
      model = store.Find(parsed);
    } else {
      model = store.FindLocal(name);
    }
    if (model.ok()) return store.Remove(*model);
    if (model.status().code() != StatusCode::kNotFound) return model.status();
  }
  std::vector<std::string> names;
  for (const CatalogEntry& entry : ListModels(store)) {
    if (entry.place == "store") names.push_back(entry.name);
    if (entry.name != name || entry.place == "store") continue;
    if (entry.place == "builtin")
      return InvalidArgument(name + " is a part of the program and cannot be removed");
    return InvalidArgument(name + " is not galen's: remove it with " +
                           (entry.place == "ollama" ? "`ollama rm`" : "`hf cache`"));
  }
  const std::string nearest = NearestName(name, names);
  return NotFound("the store has no " + name +
                  (nearest.empty() ? "" : "; did you mean " + nearest + "?") +
                  "; `galen list` shows what is there");
}

Status Rm(const RmOptions& o) {
  const ModelStore store;
  ModelStore::Removed removed;
  if (o.unused) {
    ASSIGN_OR_RETURN(removed, store.RemoveUnused(false));
  } else {
    ASSIGN_OR_RETURN(removed, Remove(store, o.name));
  }
  if (o.json) {
    std::cout << Json{{"name", o.name},
                      {"freed_bytes", removed.bytes},
                      {"kept_bytes", removed.kept}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << "\n";
    return OkStatus();
  }
  std::cout << FormatBytes(removed.bytes) << " freed";
  if (removed.kept > 0) std::cout << ", " << FormatBytes(removed.kept) << " are used by others";
  std::cout << "\n";
  return OkStatus();
}

}  // namespace

void AddList(CLI::App& app, Action* action) {
  auto o = std::make_shared<ListOptions>();
  CLI::App* verb =
      app.add_subcommand("list", "Models of the store, of Ollama's, and of the Hugging Face cache");
  verb->add_flag("--check", o->check, "Hash every file: is it what it was?");
  verb->add_flag("--json", o->json, "One line of JSON");
  verb->callback([o, action] { *action = [o] { return List(*o); }; });
}

void AddRm(CLI::App& app, Action* action) {
  auto o = std::make_shared<RmOptions>();
  CLI::App* verb = app.add_subcommand("rm", "Remove a model from the store");
  verb->add_option("name", o->name, "Its name, as galen list shows it");
  verb->add_flag("--unused", o->unused, "What belongs to no model, instead");
  verb->add_flag("--json", o->json, "One line of JSON");
  verb->callback([o, action] {
    if (o->name.empty() != o->unused)
      RequireUsage(InvalidArgument("name a model of the store, or --unused"));
    *action = [o] { return Rm(*o); };
  });
}

}  // namespace galen::cli
