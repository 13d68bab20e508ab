// Texts sealed for one key: AES-256 in Galois/counter mode (NIST SP 800-38D) with a random nonce of
// 96 bits each.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace galen::server {

class SealKey {
 public:
  // A file of 64 hexadecimal digits that its owner alone can read. NotFound, Io; InvalidArgument:
  // something else is in it, or others can read it.
  static Result<SealKey> Read(const std::string& path);

  // 16 digits that tell keys apart and say nothing about them.
  const std::string& id() const { return id_; }

  // place: what the text belongs to, which Open wants again. Nonce, sealed text, tag of 16 bytes.
  Result<std::string> Seal(std::string_view text, std::string_view place) const;
  // DataLoss: changed, cut, of another place or of another key.
  Result<std::string> Open(std::string_view sealed, std::string_view place) const;

 private:
  SealKey(std::string key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}
  std::string key_;  // 32 bytes
  std::string id_;
};

}  // namespace galen::server
