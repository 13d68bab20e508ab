// The hub of models (huggingface.co, or a mirror of it that HF_ENDPOINT names): what a repository
// holds, who may read it, and why not.
#pragma once

#include <string>
#include <vector>

#include "http/http_client.h"
#include "store/manifest.h"
#include "store/model_name.h"
#include "store/select_files.h"

namespace galen {

// A token, and where it was found. It is never printed.
struct HubToken {
  std::string value;
  std::string origin;  // "HF_TOKEN", a path; empty: none
};
// file: of --token-file, empty if not given. Else HF_TOKEN, else the file at HF_TOKEN_PATH,
// $HF_HOME/token or ~/.cache/huggingface/token. NotFound, InvalidArgument: a file that was named is
// not there or holds no token.
Result<HubToken> FindHubToken(const std::string& file);

// HF_ENDPOINT, or https://huggingface.co; without a slash at its end.
std::string HubEndpoint();
// HF_HUB_OFFLINE or GALEN_OFFLINE is set to something that is not 0.
bool OfflineByEnvironment();

struct HubModel {
  std::string commit;
  std::string gated;  // "auto", "manual"; empty: it is not
  bool is_private = false;
  License license;
  std::vector<RepoFile> files;
};

class Hub {
 public:
  Hub(HttpClient* http, HubToken token, std::string endpoint = HubEndpoint())
      : http_(http), token_(std::move(token)), endpoint_(std::move(endpoint)) {}

  const std::string& endpoint() const { return endpoint_; }
  const HubToken& token() const { return token_; }
  std::string PageOf(const HubName& name) const { return endpoint_ + "/" + name.repo; }

  // The repository at name's revision. NotFound, InvalidArgument (no access), DataLoss (an answer
  // that is none), Io.
  Result<HubModel> Model(const HubName& name) const;
  // Where a file of a commit is fetched.
  HttpGet File(const HubName& name, const std::string& commit, const std::string& path) const;
  // Fills in size and digest of a file of which the list said none, from the headers that its
  // download begins with.
  Status Complete(const HubName& name, const std::string& commit, RepoFile* file) const;
  // Ok: the file may be read. Else why not.
  Status CheckAccess(const HubName& name, const std::string& commit, const std::string& path) const;
  // The account that the token is of. InvalidArgument: the hub does not know the token.
  Result<std::string> WhoAmI() const;

  // What an answer that is no success means, and what to do about it.
  Status Explain(const HubName& name, const HttpResponse& response) const;

 private:
  HttpClient* http_;
  const HubToken token_;
  const std::string endpoint_;
};

// Of GET /api/models/REPO/revision/REV?blobs=true.
Result<HubModel> ParseHubModel(std::string_view json, const std::string& where);

}  // namespace galen
