#include "server/security/file_digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/files.h"

namespace galen::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{16} << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    GALEN_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  }
  void Add(const void* bytes, size_t size) {
    GALEN_CHECK(EVP_DigestUpdate(context_.get(), bytes, size));
  }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    GALEN_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size));
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
      hex += "0123456789abcdef"[digest[i] >> 4];
      hex += "0123456789abcdef"[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

Result<std::string> DigestOfFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, MappedFile::Open(path));
  const std::span<const uint8_t> bytes = file->bytes();
  Sha256 sha;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    const size_t size = std::min(kPiece, bytes.size() - at);
    sha.Add(bytes.data() + at, size);
    file->DropPages(at, size);
  }
  return sha.Hex();
}

}  // namespace

Result<std::string> DigestOfWeights(const std::string& path) {
  if (!IsDirectory(path)) return DigestOfFile(path);
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().filename());
  }
  if (error) return IoError("cannot read " + path + ": " + error.message());
  std::sort(files.begin(), files.end());
  Sha256 sha;
  for (const std::string& name : files) {
    ASSIGN_OR_RETURN(const std::string digest, DigestOfFile((fs::path(path) / name).string()));
    const std::string line = digest + "  " + name + "\n";
    sha.Add(line.data(), line.size());
  }
  return sha.Hex();
}

}  // namespace galen::server
