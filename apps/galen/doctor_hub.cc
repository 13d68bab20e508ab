#include "doctor_hub.h"

#include <iostream>

#include "base/memory.h"
#include "store/hf_cache.h"
#include "store/hub.h"
#include "store/resolve.h"
#include "store/select_files.h"

namespace galen::cli {
namespace {

// Of the files that a pull would fetch: sizes, and what is in the store already.
Json FilesJson(const ModelStore& store, const Selection& selection, int64_t available) {
  int64_t bytes = 0, here = 0, weights = 0;
  for (const RepoFile& file : selection.files) {
    const int64_t size = std::max<int64_t>(file.size, 0);
    bytes += size;
    if (!file.sha256.empty() && store.HasBlob(file.sha256, size)) here += size;
    const bool is_weights = file.path.ends_with(".safetensors") || file.path.ends_with(".gguf");
    if (is_weights) weights += size;
  }
  return {{"format", selection.format},
          {"files", selection.files.size()},
          {"bytes", bytes},
          {"bytes_in_store", here},
          {"weights_bytes", weights},
          {"available_bytes", available},
          {"fits", weights < available}};
}

// The smallest file: who may read that may read all.
const RepoFile* Smallest(const Selection& selection) {
  const RepoFile* best = nullptr;
  for (const RepoFile& file : selection.files) {
    const bool legal = file.path == "README.md";  // readable of gated repositories, too
    if (!legal && (best == nullptr || file.size < best->size)) best = &file;
  }
  return best;
}

void AskHub(const HubName& name, const std::string& token_file, const ModelStore& store,
            int64_t available, Json* report) {
  Json& r = *report;
  Result<HubToken> token = FindHubToken(token_file);
  if (!token.ok()) {
    r["account"] = {{"error", token.status().message()}};
    return;
  }
  HttpClient http({});
  const Hub hub(&http, *token);
  r["endpoint"] = hub.endpoint();
  if (token->value.empty()) {
    r["account"] = {{"name", nullptr}, {"token", "none"}};
  } else {
    const Result<std::string> account = hub.WhoAmI();
    r["account"] = {{"token", token->origin}};
    if (account.ok())
      r["account"]["name"] = *account;
    else
      r["account"]["error"] = account.status().message();
  }
  const Result<HubModel> model = hub.Model(name);
  if (!model.ok()) {
    r["access"] = {{"granted", false}, {"reason", model.status().message()}};
    return;
  }
  r["revision"] = model->commit;
  r["gated"] = model->gated.empty() ? "no" : model->gated;
  r["license"] = model->license.text();
  const Result<Selection> selection = SelectFiles(model->files, name.variant, name.text());
  if (!selection.ok()) {
    r["files"] = {{"error", selection.status().message()}};
    return;
  }
  r["files"] = FilesJson(store, *selection, available);
  if (const RepoFile* file = Smallest(*selection)) {
    const Status access = hub.CheckAccess(name, model->commit, file->path);
    r["access"] = {{"granted", access.ok()}};
    if (!access.ok()) r["access"]["reason"] = access.message();
  }
}

}  // namespace

Result<Json> LookAtHub(const std::string& argument, const std::string& token_file,
                       int64_t available) {
  ASSIGN_OR_RETURN(const HubName name, ParseHubName(argument));
  const ModelStore store;
  Json report = {{"name", name.text()}};
  const Result<ModelLocation> here = LocateModel(argument, store);
  report["here"] = here.ok() ? Json(here->place) : Json();
  if (here.ok()) report["path"] = here->path;
  if (OfflineByEnvironment())
    report["offline"] = true;
  else
    AskHub(name, token_file, store, available, &report);
  return report;
}

void PrintHub(const Json& r) {
  const auto text = [](const Json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  std::cout << "\n" << text(r, "name") << "\n";
  if (r.contains("account")) {
    const Json& a = r["account"];
    std::cout << "  account: ";
    if (!text(a, "error").empty())
      std::cout << text(a, "error");
    else if (text(a, "name").empty())
      std::cout << "none (no token)";
    else
      std::cout << text(a, "name") << ", by the token of " << text(a, "token");
    std::cout << "\n";
  }
  if (r.contains("gated")) std::cout << "  gated: " << text(r, "gated") << "\n";
  if (r.contains("access")) {
    std::cout << "  access: "
              << (r["access"]["granted"].get<bool>() ? "granted" : text(r["access"], "reason"))
              << "\n";
  }
  if (r.contains("license")) std::cout << "  licence: " << text(r, "license") << "\n";
  const std::string here = text(r, "here");
  std::cout << "  here: " << (here.empty() ? "no" : "in " + here + ", " + text(r, "path")) << "\n";
  if (r.contains("offline")) std::cout << "  the hub was not asked: offline\n";
  if (!r.contains("files")) return;
  const Json& f = r["files"];
  if (f.contains("error")) {
    std::cout << "  files: " << text(f, "error") << "\n";
    return;
  }
  std::cout << "  files: " << f["files"] << ", " << FormatBytes(f["bytes"].get<int64_t>())
            << ", of which " << FormatBytes(f["bytes_in_store"].get<int64_t>())
            << " are in the store\n  memory: weights "
            << FormatBytes(f["weights_bytes"].get<int64_t>()) << ", free "
            << FormatBytes(f["available_bytes"].get<int64_t>())
            << (f["fits"].get<bool>() ? "" : ": does not fit as it is (see --weights)") << "\n";
}

}  // namespace galen::cli
