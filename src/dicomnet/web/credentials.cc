#include "dicomnet/web/credentials.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/base64.h"
#include "base/files.h"
#include "dicomnet/web/place.h"
#include "http/http_client.h"

namespace galen::dicomnet {
namespace {

constexpr size_t kMostCredentials = size_t{1} << 20;
constexpr size_t kMostSecret = 16384;

// The header's value; empty: the line is wrong.
std::string HeaderOf(const std::string& kind, const std::string& secret) {
  const bool plain = std::all_of(secret.begin(), secret.end(), [](unsigned char c) {
    return c > ' ' && c != 0x7f;  // the latter would begin another header
  });
  if (secret.empty() || secret.size() > kMostSecret || !plain) return "";
  if (kind == "bearer") return "Bearer " + secret;
  if (kind != "basic" || secret.find(':') == secret.npos) return "";
  return "Basic " + EncodeBase64({reinterpret_cast<const uint8_t*>(secret.data()), secret.size()});
}

}  // namespace

Result<std::string> FindAuthorization(const std::string& origin, std::string file) {
  if (file.empty()) {
    const char* named = std::getenv("GALEN_DICOMWEB_CREDENTIALS");
    if (named == nullptr || *named == 0) return std::string();
    file = named;
  }
  struct stat info = {};
  if (::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) != 0) {
    return InvalidArgument("the file of DICOMweb credentials " + file +
                           " can be read by others: chmod 600 it");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMostCredentials));
  std::istringstream lines(text);
  std::string line, found;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::string of, kind, secret, more;
    words >> of >> kind >> secret >> more;
    if (of.empty() || of.starts_with('#')) continue;
    const Result<std::string> root = ParseWebRoot(of);
    const std::string named = root.ok() ? OriginOf(*root) : "", header = HeaderOf(kind, secret);
    const bool only_origin = root.ok() && root->find('/', root->find("://") + 3) == root->npos;
    if (named.empty() || header.empty() || !more.empty() || !only_origin) {
      return InvalidArgument("line " + std::to_string(number) + " of " + file +
                             " is neither ORIGIN bearer TOKEN nor ORIGIN basic USER:PASSWORD");
    }
    if (named == origin && found.empty()) found = header;
  }
  return found;
}

}  // namespace galen::dicomnet
