#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "base/sha256.h"
#include "store/catalog.h"
#include "store/pull_parts.h"
#include "store/shown.h"

namespace galen {
namespace {

Status ExplainRegistry(const OllamaName& name, const std::string& registry,
                       const HttpResponse& response) {
  switch (response.code) {
    case 401:
    case 403:
      return InvalidArgument(name.text() + ": the registry " + registry +
                             " wants a login, which galen does not do; is the name right? A model "
                             "that `ollama pull` has fetched is read where it lies");
    case 404:
      return NotFound(name.text() + ": there is no such model or tag at " + registry);
    default:
      return IoError(name.text() + ": " + registry + " answers " + std::to_string(response.code) +
                     "; try again later");
  }
}

// Layers that FindOllamaModel would refuse are not fetched in vain.
Status CheckLayers(const OllamaName& name, const OllamaManifest& manifest) {
  int models = 0;
  for (const OllamaLayer& layer : manifest.layers) {
    models += layer.kind == "model" ? 1 : 0;
    if (layer.kind == "adapter" || layer.kind == "tensor") {
      return Unsupported(name.text() + " has layers of kind '" + layer.kind +
                         "', which galen does not read; choose a tag with a GGUF model");
    }
  }
  return models == 1 ? OkStatus()
                     : Unsupported(name.text() + " has " + std::to_string(models) +
                                   " layers of kind 'model'; galen reads one");
}

BlobSource SourceOf(const OllamaLayer& layer, const std::string& base) {
  BlobSource source;
  source.what = layer.kind.starts_with("application/") ? "config" : Shown(layer.kind);
  source.get.url = base + "/blobs/sha256:" + layer.sha256;
  source.get.headers = {"Accept-Encoding: identity"};
  source.size = layer.size;
  source.sha256 = layer.sha256;
  return source;
}

}  // namespace

std::string OllamaRegistry(const OllamaName& name) {
  if (name.host == OllamaName().host) {
    if (const char* url = std::getenv("OLLAMA_REGISTRY"); url != nullptr && *url != 0) {
      std::string registry = url;
      while (registry.ends_with('/')) registry.pop_back();
      return registry;
    }
  }
  const std::string plain = "http://" + name.host;
  return IsLoopbackOrigin(OriginOf(plain)) ? plain : "https://" + name.host;
}

Result<Pulled> PullFromRegistry(const ModelStore& store, const OllamaName& name,
                                const PullOptions& options, const OnPullEvent& on_event) {
  Pulled pulled;
  pulled.name = name.text();
  const std::string path = store.root() + "/" + name.manifest_path();
  const auto is_whole = [&](const OllamaManifest& manifest) {
    bool whole = manifest.config.sha256.empty() ||
                 store.HasBlob(manifest.config.sha256, manifest.config.size);
    for (const OllamaLayer& layer : manifest.layers)
      whole = whole && store.HasBlob(layer.sha256, layer.size);
    return whole;
  };
  const auto fill = [&](const std::string& text, const OllamaManifest& manifest) {
    pulled.revision =
        "sha256:" + Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    pulled.license = LicenseOfOllama(store, manifest);
    if (pulled.license.empty()) pulled.license = License().text();
    pulled.bytes = manifest.bytes();
  };
  std::string present;
  if (Result<std::string> text = ReadFile(path, kMaxManifest); text.ok())
    present = std::move(text).value();
  if (options.offline) {
    const Result<OllamaManifest> manifest = ParseOllamaManifest(present, path);
    if (present.empty() || !manifest.ok() || !is_whole(*manifest))
      return NotFetchedOffline(pulled.name, store);
    fill(present, *manifest);
    pulled.was_there = true;
    return pulled;
  }
  HttpClient http(options.http);
  const std::string registry = OllamaRegistry(name);
  const std::string base = registry + "/v2/" + name.space + "/" + name.model;
  Say(on_event, PullEvent::Kind::kManifest, pulled.name);
  HttpGet get;
  get.url = base + "/manifests/" + name.tag;
  get.headers = {"Accept: application/vnd.docker.distribution.manifest.v2+json"};
  get.max_bytes = kMaxManifest;
  const HttpResult answer = http.GetPatiently(get);
  RETURN_IF_ERROR(answer.status);
  if (answer.response.code != 200) return ExplainRegistry(name, registry, answer.response);
  const std::string& text = answer.response.body;
  ASSIGN_OR_RETURN(const OllamaManifest manifest, ParseOllamaManifest(text, pulled.name));
  RETURN_IF_ERROR(CheckLayers(name, manifest));
  const std::string digest = answer.response.Header("docker-content-digest");
  const std::string found =
      "sha256:" + Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!digest.empty() && digest != found)
    return DataLoss(pulled.name + ": the registry's manifest is not the one that it announces");
  pulled.was_there = present == text && is_whole(manifest);
  RETURN_IF_ERROR(store.Prepare());
  std::vector<BlobSource> sources;
  for (const OllamaLayer& layer : manifest.layers) sources.push_back(SourceOf(layer, base));
  if (!manifest.config.sha256.empty()) sources.push_back(SourceOf(manifest.config, base));
  int64_t room = 0;
  for (const BlobSource& source : sources) room += RoomFor(store, source);
  RETURN_IF_ERROR(CheckRoom(store, room));
  Status status;
  for (int round = 0; round < kMaxPullRounds; ++round) {
    PullMeter meter(on_event, manifest.bytes());
    for (const BlobSource& source : sources) {
      RETURN_IF_ERROR(FetchBlob(
                          store, &http, source,
                          [&](const HttpResponse& r) { return ExplainRegistry(name, registry, r); },
                          meter.EventsOf(source))
                          .status());
      meter.Next();
    }
    Say(on_event, PullEvent::Kind::kVerify);
    Say(on_event, PullEvent::Kind::kWrite);
    status = store.CommitOllama(name, text, options.http.cancelled);
    if (status.code() != StatusCode::kNotFound) break;
  }
  RETURN_IF_ERROR(status);
  fill(text, manifest);
  Say(on_event, PullEvent::Kind::kLicense, pulled.license);
  Say(on_event, PullEvent::Kind::kDone);
  return pulled;
}

}  // namespace galen
