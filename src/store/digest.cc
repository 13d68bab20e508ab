#include "store/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "store/system_error.h"

namespace galen {
namespace {

constexpr size_t kReadPiece = size_t{1} << 20;

}  // namespace

Digest Digest::Sha256() {
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  GALEN_CHECK(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
  return Digest(std::move(context));
}

Digest Digest::GitBlob(int64_t size) {
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  GALEN_CHECK(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr));
  Digest digest(std::move(context));
  const std::string header = "blob " + std::to_string(size);
  // With the zero at its end.
  digest.Add({reinterpret_cast<const uint8_t*>(header.c_str()), header.size() + 1});
  return digest;
}

void Digest::Add(std::span<const uint8_t> bytes) {
  GALEN_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Digest::Hex() {
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

Status AddFileBytes(int fd, int64_t size, const std::string& path,
                    std::initializer_list<Digest*> digests, const OnBytes& on_bytes) {
  std::vector<uint8_t> piece(kReadPiece);
  for (int64_t at = 0; at < size;) {
    const size_t wanted = static_cast<size_t>(std::min<int64_t>(kReadPiece, size - at));
    const ssize_t n = ::pread(fd, piece.data(), wanted, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot read", path);
    if (n == 0) return DataLoss(path + " became shorter while it was read");
    for (Digest* digest : digests) digest->Add({piece.data(), static_cast<size_t>(n)});
    at += n;
    if (on_bytes && !on_bytes(n)) return Cancelled("stopped while reading " + path);
  }
  return OkStatus();
}

Result<std::string> Sha256OfFile(const std::string& path, const OnBytes& on_bytes) {
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return SystemError("cannot open", path);
  struct stat info;
  if (::fstat(file.fd, &info) != 0) return SystemError("cannot stat", path);
  Digest digest = Digest::Sha256();
  RETURN_IF_ERROR(AddFileBytes(file.fd, info.st_size, path, {&digest}, on_bytes));
  return digest.Hex();
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace galen
