#include "server/security/api_keys.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/files.h"
#include "base/sha256.h"

namespace galen::server {
namespace {

constexpr size_t kMaxKeyNameBytes = 64;
constexpr std::string_view kDigestPrefix = "sha256:";
constexpr size_t kDigestDigits = 64;
constexpr int64_t kMaxLimit = int64_t{1} << 50;

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxKeyNameBytes &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

std::string DigestOf(std::string_view key) {
  return Sha256Hex({reinterpret_cast<const uint8_t*>(key.data()), key.size()});
}

// What stands behind a digest: false if it is not known, or comes twice.
bool ReadRight(std::string_view word, bool* admin, bool* dicom, KeyLimits* limits) {
  if (word == "admin") return !std::exchange(*admin, true);
  if (word == "dicom") return !std::exchange(*dicom, true);
  const std::pair<std::string_view, int64_t*> numbers[] = {{"rpm=", &limits->requests_per_minute},
                                                           {"tpm=", &limits->tokens_per_minute},
                                                           {"tpd=", &limits->tokens_per_day}};
  for (const auto& [name, value] : numbers) {
    if (!word.starts_with(name) || *value != 0) continue;
    word.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
    return error == std::errc() && end == word.data() + word.size() && *value > 0 &&
           *value <= kMaxLimit;
  }
  return false;
}

// Reads all of both, whatever they hold.
bool SameDigits(std::string_view a, std::string_view b) {
  unsigned char differ = a.size() != b.size();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    differ |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differ == 0;
}

}  // namespace

Result<ApiKeys> ApiKeys::Parse(std::string_view text) {
  ApiKeys keys;
  keys.salt_ = RandomSipKey();
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    const auto bad = [&](const char* what) {
      return DataLoss("line " + std::to_string(number) + " of the API keys " + what);
    };
    const size_t space = line.find(' ');
    if (space == line.npos) return bad("is not NAME sha256:HEX");
    const std::string_view name = line.substr(0, space);
    std::string_view digest = line.substr(space + 1);
    if (!IsName(name)) return bad("has a name that is none (letters, digits, - _ .)");
    if (!digest.starts_with(kDigestPrefix)) return bad("has no sha256: digest");
    digest.remove_prefix(kDigestPrefix.size());
    bool admin = false, dicom = false;
    KeyLimits limits;
    std::string_view rights;
    if (const size_t end_of_digest = digest.find(' '); end_of_digest != digest.npos) {
      rights = digest.substr(end_of_digest + 1);
      digest = digest.substr(0, end_of_digest);
    }
    while (!rights.empty()) {
      const size_t end_of_word = rights.find(' ');
      if (!ReadRight(rights.substr(0, end_of_word), &admin, &dicom, &limits))
        return bad(
            "has something behind the digest that is not admin, dicom, rpm=N, tpm=N or tpd=N, "
            "once");
      rights = end_of_word == rights.npos ? "" : rights.substr(end_of_word + 1);
    }
    if (digest.size() != kDigestDigits ||
        digest.find_first_not_of("0123456789abcdef") != digest.npos) {
      return bad("has a digest that is not 64 lower-case hexadecimal digits");
    }
    for (const Key& known : keys.keys_) {
      if (known.name == name) return bad("repeats a name");
      if (known.digest == digest) return bad("repeats a key");
    }
    keys.keys_.push_back({std::string(name), std::string(digest), admin, dicom, limits});
  }
  if (keys.keys_.empty()) return DataLoss("the file of API keys holds none");
  return keys;
}

Result<ApiKeys> ApiKeys::Read(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, size_t{1} << 20));
  Result<ApiKeys> keys = Parse(text);
  if (!keys.ok()) return keys.status().WithContext(path);
  return keys;
}

std::optional<Tenant> ApiKeys::Find(std::string_view authorization) const {
  constexpr std::string_view kBearer = "Bearer ";
  const bool bearer = authorization.starts_with(kBearer);
  const std::string digest = DigestOf(bearer ? authorization.substr(kBearer.size()) : "");
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (SameDigits(key.digest, digest)) found = &key;
  }
  if (!bearer || found == nullptr) return std::nullopt;
  const auto* bytes = reinterpret_cast<const uint8_t*>(found->name.data());
  return Tenant{found->name, SipHash128(salt_, {bytes, found->name.size()}).low, found->admin,
                found->dicom, found->limits};
}

bool ApiKeys::has_quotas() const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [](const Key& key) { return key.limits.tokens_per_day > 0; });
}

Result<NewKey> MakeKey(const std::string& name) {
  if (!IsName(name)) {
    return InvalidArgument("'" + name + "' cannot be the name of a key (letters, digits, - _ ., " +
                           std::to_string(kMaxKeyNameBytes) + " at most)");
  }
  std::array<unsigned char, 32> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return IoError("the operating system gave no random bytes");
  NewKey made;
  made.key = "gk_";
  for (unsigned char byte : random) {
    constexpr char kDigits[] = "0123456789abcdef";
    made.key += kDigits[byte >> 4];
    made.key += kDigits[byte & 15];
  }
  made.line = name + " " + std::string(kDigestPrefix) + DigestOf(made.key);
  return made;
}

}  // namespace galen::server
