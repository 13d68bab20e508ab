#include "store/hub.h"

#include <cstdlib>

#include "base/files.h"
#include "base/json.h"
#include "store/digest.h"
#include "store/shown.h"

namespace galen {
namespace {

constexpr size_t kMaxListed = 100000;
constexpr int64_t kMaxSize = int64_t{1} << 50;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string TextOf(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string HfHome() {
  if (std::string home = Environment("HF_HOME"); !home.empty()) return home;
  if (std::string cache = Environment("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/huggingface";
  return Environment("HOME") + "/.cache/huggingface";
}

Result<std::string> ReadToken(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, 4096));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return InvalidArgument(path + " holds no token");
  text = text.substr(begin, text.find_first_of(" \t\r\n", begin) - begin);
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return InvalidArgument(path + " holds no token");
  }
  return text;
}

License LicenseOf(const Json& json) {
  License license;
  if (const auto card = json.find("cardData"); card != json.end() && card->is_object()) {
    license.id = TextOf(*card, "license");
    if (license.id.empty() && card->value("license", Json()).is_array()) {
      for (const Json& one : (*card)["license"]) {
        if (!one.is_string()) continue;
        license.id += (license.id.empty() ? "" : " or ") + one.get<std::string>();
      }
    }
    license.name = TextOf(*card, "license_name");
    license.link = TextOf(*card, "license_link");
  }
  if (const auto tags = json.find("tags"); license.id.empty() && tags != json.end()) {
    for (const Json& tag : *tags) {
      constexpr std::string_view kTag = "license:";
      if (tag.is_string() && tag.get<std::string>().starts_with(kTag))
        license.id = tag.get<std::string>().substr(kTag.size());
    }
  }
  return license;
}

Result<RepoFile> FileOf(const Json& json, const std::string& where) {
  RepoFile file;
  file.path = json.is_object() ? TextOf(json, "rfilename") : "";
  if (!IsSafeRelativePath(file.path)) {
    return DataLoss(where + ": the hub lists a file '" + Shown(file.path) +
                    "', which cannot be the name of a file in a model's directory");
  }
  const auto size_of = [&](const Json& object) -> int64_t {
    const auto it = object.find("size");
    if (it == object.end() || !it->is_number_integer()) return -1;
    if (it->is_number_unsigned() && it->get<uint64_t>() > static_cast<uint64_t>(kMaxSize))
      return -2;
    return it->get<int64_t>();
  };
  file.size = size_of(json);
  if (const auto lfs = json.find("lfs"); lfs != json.end() && lfs->is_object()) {
    file.size = size_of(*lfs);
    file.sha256 = TextOf(*lfs, "sha256");
    if (file.sha256.empty()) file.sha256 = TextOf(*lfs, "oid");
    if (!IsHex(file.sha256, 64))
      return DataLoss(where + ": the digest of " + file.path + " is none");
  } else if (const std::string blob = TextOf(json, "blobId"); !blob.empty()) {
    if (!IsHex(blob, 40)) return DataLoss(where + ": the digest of " + file.path + " is none");
    file.git_sha1 = blob;
  }
  if (file.size < -1) return DataLoss(where + ": the size of " + file.path + " is none");
  return file;
}

}  // namespace

Result<HubToken> FindHubToken(const std::string& file) {
  HubToken token;
  if (!file.empty()) {
    ASSIGN_OR_RETURN(token.value, ReadToken(file));
    token.origin = file;
    return token;
  }
  if (token.value = Environment("HF_TOKEN"); !token.value.empty()) {
    for (const char c : token.value) {
      if (c <= 0x20 || c >= 0x7f) return InvalidArgument("HF_TOKEN holds no token");
    }
    token.origin = "HF_TOKEN";
    return token;
  }
  std::string path = Environment("HF_TOKEN_PATH");
  if (path.empty()) path = HfHome() + "/token";
  if (!FileExists(path)) return token;
  ASSIGN_OR_RETURN(token.value, ReadToken(path));
  token.origin = path;
  return token;
}

std::string HubEndpoint() {
  std::string endpoint = Environment("HF_ENDPOINT");
  if (endpoint.empty()) endpoint = "https://huggingface.co";
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

bool OfflineByEnvironment() {
  for (const char* name : {"HF_HUB_OFFLINE", "GALEN_OFFLINE"}) {
    const std::string value = Environment(name);
    if (!value.empty() && value != "0" && value != "false" && value != "FALSE" && value != "no" &&
        value != "off") {
      return true;
    }
  }
  return false;
}

Result<HubModel> ParseHubModel(std::string_view text, const std::string& where) {
  const Result<Json> json = ParseJson(text, 64);
  if (!json.ok()) return json.status().WithContext(where);
  if (!json->is_object()) return DataLoss(where + ": the hub's answer describes no model");
  HubModel model;
  model.commit = TextOf(*json, "sha");
  if (!IsHex(model.commit, 40))
    return DataLoss(where + ": the hub's answer names no commit; is this a hub of models?");
  const Json gated = json->value("gated", Json());
  if (gated.is_string()) model.gated = Shown(gated.get<std::string>());
  if (gated == Json(true)) model.gated = "auto";
  model.is_private = json->value("private", Json()) == Json(true);
  model.license = LicenseOf(*json);
  const auto siblings = json->find("siblings");
  if (siblings == json->end() || !siblings->is_array())
    return DataLoss(where + ": the hub's answer lists no files");
  if (siblings->size() > kMaxListed) return DataLoss(where + ": more than 100,000 files");
  for (const Json& sibling : *siblings) {
    ASSIGN_OR_RETURN(RepoFile file, FileOf(sibling, where));
    model.files.push_back(std::move(file));
  }
  return model;
}

Result<HubModel> Hub::Model(const HubName& name) const {
  HttpGet get;
  get.url = endpoint_ + "/api/models/" + PercentEncode(name.repo, true) + "/revision/" +
            PercentEncode(name.branch(), false) + "?blobs=true";
  get.token = token_.value;
  const HttpResult result = http_->GetPatiently(get);
  RETURN_IF_ERROR(result.status);
  if (result.response.code != 200) return Explain(name, result.response);
  ASSIGN_OR_RETURN(HubModel model, ParseHubModel(result.response.body, name.text()));
  if (IsHex(name.branch(), 40) && model.commit != name.branch())
    return DataLoss(name.text() + ": the hub answers with another commit, " + model.commit);
  return model;
}

HttpGet Hub::File(const HubName& name, const std::string& commit, const std::string& path) const {
  HttpGet get;
  get.url = endpoint_ + "/" + PercentEncode(name.repo, true) + "/resolve/" + commit + "/" +
            PercentEncode(path, true);
  get.token = token_.value;
  // Bytes as they are: a length and a range of something packed would mean nothing.
  get.headers = {"Accept-Encoding: identity"};
  return get;
}

Status Hub::Complete(const HubName& name, const std::string& commit, RepoFile* file) const {
  if (file->size >= 0 && !(file->sha256.empty() && file->git_sha1.empty())) return OkStatus();
  HttpGet get = File(name, commit, file->path);
  get.head = true;
  get.follow = false;
  const HttpResult result = http_->GetPatiently(get);
  RETURN_IF_ERROR(result.status);
  const HttpResponse& r = result.response;
  if (r.code >= 400) return Explain(name, r);
  const auto digits = [](std::string text) {
    if (text.starts_with("W/")) text.erase(0, 2);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
      text = text.substr(1, text.size() - 2);
    return text;
  };
  std::string etag = digits(r.Header("x-linked-etag"));
  std::string size = r.Header("x-linked-size");
  if (etag.empty()) etag = digits(r.Header("etag"));
  if (size.empty() && r.code < 300) size = r.Header("content-length");
  if (file->sha256.empty() && file->git_sha1.empty()) {
    if (IsHex(etag, 64)) file->sha256 = etag;
    if (IsHex(etag, 40)) file->git_sha1 = etag;
  }
  if (file->size < 0 && !size.empty() && size.size() < 16 &&
      size.find_first_not_of("0123456789") == std::string::npos) {
    file->size = std::stoll(size);
  }
  if (file->size < 0 || (file->sha256.empty() && file->git_sha1.empty())) {
    return DataLoss(name.text() + ": the hub states no size or no digest of " + file->path +
                    ", so that it cannot be checked; use a mirror that does");
  }
  return OkStatus();
}

Status Hub::CheckAccess(const HubName& name, const std::string& commit,
                        const std::string& path) const {
  HttpGet get = File(name, commit, path);
  get.head = true;
  get.follow = false;
  const HttpResult result = http_->GetPatiently(get);
  RETURN_IF_ERROR(result.status);
  return result.response.code < 400 ? OkStatus() : Explain(name, result.response);
}

Result<std::string> Hub::WhoAmI() const {
  HttpGet get;
  get.url = endpoint_ + "/api/whoami-v2";
  get.token = token_.value;
  const HttpResult result = http_->GetPatiently(get);
  RETURN_IF_ERROR(result.status);
  if (result.response.code == 401) {
    return InvalidArgument("the hub does not know the token of " + token_.origin +
                           "; make a new one at " + endpoint_ + "/settings/tokens");
  }
  if (result.response.code != 200) return Explain({}, result.response);
  ASSIGN_OR_RETURN(const Json json, ParseJson(result.response.body, 64));
  const std::string account = json.is_object() ? TextOf(json, "name") : "";
  if (account.empty()) return DataLoss(get.url + ": the answer names nobody");
  return Shown(account);
}

Status Hub::Explain(const HubName& name, const HttpResponse& response) const {
  const std::string what = name.repo.empty() ? endpoint_ : name.text();
  const std::string reason = response.Header("x-error-code");
  const std::string page = PageOf(name);
  const std::string give = "; give it by --token-file, HF_TOKEN or ~/.cache/huggingface/token";
  const std::string make =
      "make a token that may read it at " + endpoint_ + "/settings/tokens" + give;
  switch (response.code) {
    case 401:
    case 403:
      if (reason == "GatedRepo" || (reason.empty() && response.code == 403)) {
        if (token_.value.empty()) {
          return InvalidArgument(what + " is gated: (1) log in at " + page +
                                 " and accept its terms, (2) " + make);
        }
        return InvalidArgument(
            what + " is gated, and the account of the token (" + token_.origin +
            ") has no access: accept the terms at " + page +
            "; where the owner grants it by hand, wait for the mail. A fine-grained token also "
            "needs the right to read public gated repositories");
      }
      // The hub says 401 of a repository that is not there, too, so as not to tell.
      if (token_.value.empty()) {
        return NotFound(what +
                        ": there is no such repository, or it is private or gated. If the "
                        "name is right, " +
                        make);
      }
      return InvalidArgument(what + ": there is no such repository, or the token (" +
                             token_.origin + ") is unknown to the hub or may not read it; " + make);
    case 404:
      if (reason == "RevisionNotFound")
        return NotFound(what + ": there is no revision '" + name.branch() + "'; " + page +
                        " lists them");
      if (reason == "EntryNotFound") return NotFound(what + ": the hub lacks a file that it lists");
      return NotFound(what + ": there is no such repository at " + endpoint_);
    case 429:
      return ResourceExhausted(what +
                               ": the hub says that there are too many requests; try again "
                               "later" +
                               (token_.value.empty() ? ", or with a token" : ""));
    default: {
      const std::string message = Shown(response.Header("x-error-message"));
      return IoError(what + ": " + endpoint_ + " answers " + std::to_string(response.code) +
                     (message.empty() ? "" : " (" + message + ")") + "; try again later");
    }
  }
}

}  // namespace galen
