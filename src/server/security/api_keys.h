// API keys: the server's file holds names and SHA-256 digests, never the keys. Keys are 256 random
// bits, so that a plain digest of them cannot be searched through.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "base/status.h"
#include "server/http/message.h"
#include "server/security/key_limits.h"

namespace galen::server {

class ApiKeys {
 public:
  // Lines of "NAME sha256:HEX", and behind it, each once: "admin" for who may read the audit log
  // and change models, "dicom" for who may send studies and ask about them, "rpm=N", "tpm=N" and
  // "tpd=N" for KeyLimits. Empty lines and those that begin with # are passed over. DataLoss with
  // the number of the line, never with its text.
  static Result<ApiKeys> Parse(std::string_view text);
  static Result<ApiKeys> Read(const std::string& path);

  // The tenant whose key an Authorization header ("Bearer KEY") carries. Takes the same time
  // whichever key, or none, it is.
  std::optional<Tenant> Find(std::string_view authorization) const;
  // Some key has tokens_per_day.
  bool has_quotas() const;
  // The prefix caches of tenants that stay are theirs after a file was read again.
  void KeepSaltOf(const ApiKeys& other) { salt_ = other.salt_; }
  size_t size() const { return keys_.size(); }

 private:
  struct Key {
    std::string name, digest;
    bool admin = false;
    bool dicom = false;
    KeyLimits limits;
  };
  std::vector<Key> keys_;
  SipKey salt_{};
};

struct NewKey {
  std::string key;   // to be given to the client, once
  std::string line;  // for the server's file
};
Result<NewKey> MakeKey(const std::string& name);

}  // namespace galen::server
