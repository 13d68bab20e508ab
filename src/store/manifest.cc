#include "store/manifest.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/rfc3339.h"
#include "store/digest.h"
#include "store/model_name.h"
#include "store/shown.h"

namespace galen {
namespace {

constexpr int kVersion = 1;
constexpr int64_t kMaxBytes = int64_t{1} << 50;  // of one model: far from overflow in a sum
constexpr int64_t kMaxTime = 253402300799;       // the year 9999
constexpr std::string_view kOllamaMediaType = "application/vnd.ollama.image.";
constexpr std::string_view kDigest = "sha256:";

Result<std::string> Text(const Json& object, const char* key, const std::string& where,
                         bool required = false) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) {
    if (required) return DataLoss(where + ": '" + key + "' is missing");
    return std::string();
  }
  if (!it->is_string()) return DataLoss(where + ": '" + key + "' is no text");
  return it->get<std::string>();
}

Result<int64_t> Size(const Json& object, const std::string& where) {
  const auto it = object.find("size");
  if (it == object.end() || !it->is_number_integer())
    return DataLoss(where + ": 'size' is missing or no whole number");
  if (it->is_number_unsigned() && it->get<uint64_t>() > static_cast<uint64_t>(kMaxBytes))
    return DataLoss(where + ": a file has more than 2^50 bytes");
  const int64_t size = it->get<int64_t>();
  if (size < 0) return DataLoss(where + ": a size is negative");
  return size;
}

Result<StoredFile> File(const Json& json, const std::string& where) {
  if (!json.is_object()) return DataLoss(where + ": an entry of 'files' is no object");
  StoredFile file;
  ASSIGN_OR_RETURN(file.path, Text(json, "path", where, true));
  ASSIGN_OR_RETURN(file.sha256, Text(json, "sha256", where, true));
  ASSIGN_OR_RETURN(file.git_sha1, Text(json, "git_sha1", where));
  ASSIGN_OR_RETURN(file.size, Size(json, where));
  if (!IsSafeRelativePath(file.path))
    return DataLoss(where + ": the path of a file leads out of the model's directory");
  if (!IsHex(file.sha256, 64) || (!file.git_sha1.empty() && !IsHex(file.git_sha1, 40)))
    return DataLoss(where + ": the digest of " + file.path + " is none");
  return file;
}

Result<OllamaLayer> Layer(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.value("mediaType", Json()).is_string())
    return DataLoss(where + ": a layer has no mediaType");
  OllamaLayer layer;
  layer.kind = json["mediaType"].get<std::string>();
  if (layer.kind.starts_with(kOllamaMediaType)) layer.kind.erase(0, kOllamaMediaType.size());
  const Json digest = json.value("digest", Json());
  if (digest.is_string()) layer.sha256 = digest.get<std::string>();
  if (layer.sha256.starts_with(kDigest)) layer.sha256.erase(0, kDigest.size());
  if (!digest.is_string() || !IsHex(layer.sha256, 64))
    return DataLoss(where + ": a layer has no sha256 digest");
  ASSIGN_OR_RETURN(layer.size, Size(json, where));
  return layer;
}

}  // namespace

std::string License::text() const {
  std::string text = id.empty() ? "not stated" : id;
  if (!name.empty()) text += " (" + name + ")";
  if (!link.empty()) text += ", " + link;
  return Shown(text);
}

int64_t StoredModel::bytes() const {
  int64_t sum = 0;
  for (const StoredFile& file : files) sum += file.size;
  return sum;
}

const StoredFile* StoredModel::Find(std::string_view path) const {
  for (const StoredFile& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

Result<StoredModel> ParseStoredModel(std::string_view text, const std::string& where) {
  const Result<Json> json = ParseJson(text, 16);
  if (!json.ok()) return json.status().WithContext(where);
  if (!json->is_object() || json->value("galen_manifest", Json()) != Json(kVersion))
    return DataLoss(where + ": no manifest of version " + std::to_string(kVersion));
  StoredModel model;
  ASSIGN_OR_RETURN(model.name, Text(*json, "name", where, true));
  ASSIGN_OR_RETURN(model.source, Text(*json, "source", where));
  ASSIGN_OR_RETURN(model.revision, Text(*json, "revision", where));
  ASSIGN_OR_RETURN(model.format, Text(*json, "format", where));
  ASSIGN_OR_RETURN(model.entry, Text(*json, "entry", where));
  ASSIGN_OR_RETURN(model.projector, Text(*json, "projector", where));
  if (const auto license = json->find("license"); license != json->end() && license->is_object()) {
    ASSIGN_OR_RETURN(model.license.id, Text(*license, "id", where));
    ASSIGN_OR_RETURN(model.license.name, Text(*license, "name", where));
    ASSIGN_OR_RETURN(model.license.link, Text(*license, "link", where));
  }
  model.gated = json->value("gated", Json()) == Json(true);
  if (const Json time = json->value("time", Json()); time.is_number_integer())
    model.time = std::clamp<int64_t>(time.get<int64_t>(), 0, kMaxTime);
  const bool named =
      IsHubName(model.name) ? ParseHubName(model.name).ok() : IsLocalName(model.name);
  if (!named) return DataLoss(where + ": its name is none of a model");
  const auto files = json->find("files");
  if (files == json->end() || !files->is_array() || files->empty() ||
      files->size() > kMaxModelFiles)
    return DataLoss(where + ": 'files' is missing, empty or has more than 4096 entries");
  std::set<std::string> seen;
  for (const Json& entry : *files) {
    ASSIGN_OR_RETURN(StoredFile file, File(entry, where));
    if (!seen.insert(file.path).second) return DataLoss(where + ": two files have one path");
    model.files.push_back(std::move(file));
  }
  for (const std::string& path : {model.entry, model.projector}) {
    if (!path.empty() && model.Find(path) == nullptr)
      return DataLoss(where + ": the file to open is not among its files");
  }
  if (model.bytes() > kMaxBytes) return DataLoss(where + ": more than 2^50 bytes");
  return model;
}

std::string WriteStoredModel(const StoredModel& model) {
  Json files = Json::array();
  for (const StoredFile& file : model.files) {
    Json entry = {{"path", file.path}, {"sha256", file.sha256}, {"size", file.size}};
    if (!file.git_sha1.empty()) entry["git_sha1"] = file.git_sha1;
    files.push_back(std::move(entry));
  }
  const Json license = {
      {"id", model.license.id}, {"name", model.license.name}, {"link", model.license.link}};
  const Json json = {{"galen_manifest", kVersion},    {"name", model.name},
                     {"source", model.source},        {"revision", model.revision},
                     {"format", model.format},        {"entry", model.entry},
                     {"projector", model.projector},  {"license", license},
                     {"gated", model.gated},          {"time", model.time},
                     {"pulled", Rfc3339(model.time)}, {"files", files}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status CheckStorable(StoredModel model) {
  for (StoredFile& file : model.files) {
    if (!IsSafeRelativePath(file.path)) {
      return DataLoss(model.name + ": a file of the store cannot have the name '" +
                      Shown(file.path) + "'");
    }
    if (file.sha256.empty()) file.sha256 = std::string(64, '0');
  }
  const std::string text = WriteStoredModel(model);
  if (text.size() > kMaxManifest) {
    return DataLoss(model.name + ": its manifest (file names, licence) would have " +
                    std::to_string(text.size()) + " bytes, more than " +
                    std::to_string(kMaxManifest));
  }
  ASSIGN_OR_RETURN(const StoredModel read, ParseStoredModel(text, model.name));
  for (size_t i = 0; i < read.files.size(); ++i) {
    if (read.files[i].path != model.files[i].path)
      return DataLoss(model.name + ": the name '" + Shown(model.files[i].path) + "' is not UTF-8");
  }
  return OkStatus();
}

int64_t OllamaManifest::bytes() const {
  int64_t sum = config.size;
  for (const OllamaLayer& layer : layers) sum += layer.size;
  return sum;
}

const OllamaLayer* OllamaManifest::Find(std::string_view kind) const {
  for (const OllamaLayer& layer : layers) {
    if (layer.kind == kind) return &layer;
  }
  return nullptr;
}

Result<OllamaManifest> ParseOllamaManifest(std::string_view text, const std::string& where) {
  const Result<Json> json = ParseJson(text, 16);
  if (!json.ok()) return json.status().WithContext(where);
  if (!json->is_object() || !json->contains("layers") || !(*json)["layers"].is_array())
    return DataLoss(where + ": no manifest with layers");
  if ((*json)["layers"].size() > kMaxModelFiles) return DataLoss(where + ": more than 4096 layers");
  OllamaManifest manifest;
  if (const auto config = json->find("config"); config != json->end() && config->is_object()) {
    ASSIGN_OR_RETURN(manifest.config, Layer(*config, where));
  }
  for (const Json& entry : (*json)["layers"]) {
    ASSIGN_OR_RETURN(OllamaLayer layer, Layer(entry, where));
    manifest.layers.push_back(std::move(layer));
  }
  if (manifest.bytes() > kMaxBytes) return DataLoss(where + ": more than 2^50 bytes");
  return manifest;
}

}  // namespace galen
