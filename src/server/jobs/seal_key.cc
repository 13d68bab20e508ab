#include "server/jobs/seal_key.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <limits>
#include <memory>

#include "base/files.h"
#include "store/digest.h"

namespace galen::server {
namespace {

constexpr size_t kKeyBytes = 32, kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kMaxKeyFile = 1024;
constexpr char kMake[] = "`(umask 077; openssl rand -hex 32 >FILE)` makes one";

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string* text) { return reinterpret_cast<unsigned char*>(text->data()); }

// Sealing or opening, with the place authenticated; the text follows.
Cipher Begin(std::string_view key, std::string_view nonce, std::string_view place, bool seal) {
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int size = 0;
  if (cipher == nullptr ||
      EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce),
                        seal ? 1 : 0) != 1 ||
      EVP_CipherUpdate(cipher.get(), nullptr, &size, Bytes(place),
                       static_cast<int>(place.size())) != 1) {
    cipher.reset();
  }
  return cipher;
}

bool Fits(std::string_view text) {
  return text.size() <= static_cast<size_t>(std::numeric_limits<int>::max());
}

}  // namespace

Result<SealKey> SealKey::Read(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return InvalidArgument(path + ": others than its owner can read this key; `chmod 600 " + path +
                           "`");
  }
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxKeyFile));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (!IsHex(text, 2 * kKeyBytes)) {
    return InvalidArgument(path + " is no key of 64 hexadecimal digits; " + kMake);
  }
  std::string key;
  for (size_t i = 0; i < text.size(); i += 2)
    key.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  Digest digest = Digest::Sha256();
  const std::string named = "galen seal key\n" + key;
  digest.Add({Bytes(named), named.size()});
  return SealKey(std::move(key), digest.Hex().substr(0, 16));
}

Result<std::string> SealKey::Seal(std::string_view text, std::string_view place) const {
  if (!Fits(text)) return ResourceExhausted("a text of over 2 GB cannot be sealed");
  std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
  if (RAND_bytes(Bytes(&sealed), kNonceBytes) != 1) return IoError("no random bytes");
  const Cipher cipher = Begin(key_, std::string_view(sealed).substr(0, kNonceBytes), place, true);
  int size = 0, rest = 0;
  if (cipher == nullptr ||
      EVP_CipherUpdate(cipher.get(), Bytes(&sealed) + kNonceBytes, &size, Bytes(text),
                       static_cast<int>(text.size())) != 1 ||
      EVP_CipherFinal_ex(cipher.get(), Bytes(&sealed) + kNonceBytes + size, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                          Bytes(&sealed) + kNonceBytes + text.size()) != 1) {
    return IoError("the text cannot be sealed: OpenSSL refuses");
  }
  return sealed;
}

Result<std::string> SealKey::Open(std::string_view sealed, std::string_view place) const {
  const Status damaged = DataLoss("a sealed text is damaged, or another key's");
  if (sealed.size() < kNonceBytes + kTagBytes || !Fits(sealed)) return damaged;
  const std::string_view body =
      sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string text(body.size(), '\0'), tag(sealed.substr(sealed.size() - kTagBytes));
  const Cipher cipher = Begin(key_, sealed.substr(0, kNonceBytes), place, false);
  int size = 0, rest = 0;
  unsigned char none = 0;
  if (cipher == nullptr ||
      EVP_CipherUpdate(cipher.get(), text.empty() ? &none : Bytes(&text), &size, Bytes(body),
                       static_cast<int>(body.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, Bytes(&tag)) != 1 ||
      EVP_CipherFinal_ex(cipher.get(), &none, &rest) != 1) {
    return damaged;
  }
  return text;
}

}  // namespace galen::server
