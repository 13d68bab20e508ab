#include "server/library/redirects.h"

#include <algorithm>
#include <string_view>

namespace galen::server {
namespace {

constexpr std::string_view kTls = "https://", kTlsPort = ":443";

// "host:port" of an origin.
std::string_view Authority(std::string_view origin) {
  const size_t begin = origin.find("://");
  return begin == origin.npos ? origin : origin.substr(begin + 3);
}

std::string_view HostOf(std::string_view origin) {
  const std::string_view authority = Authority(origin);
  return authority.substr(0, authority.rfind(':'));
}

bool IsUnder(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                            host[host.size() - domain.size() - 1] == '.');
}

// A host of --pull-from without a port means its ports of HTTPS and HTTP.
bool Names(std::string_view entry, std::string_view origin) {
  if (entry == "hub" || entry == "ollama") return false;
  if (entry.starts_with(kTls)) entry.remove_prefix(kTls.size());
  const std::string_view host = HostOf(origin);
  if (entry == Authority(origin)) return true;
  return entry == host && (origin.ends_with(":443") || origin.ends_with(":80"));
}

// Where the hub and Ollama's registry keep large files.
bool IsStorageOf(std::string_view place, std::string_view host) {
  if (place == "hub") return IsUnder(host, "huggingface.co") || IsUnder(host, "hf.co");
  return place == "ollama" && (IsUnder(host, "ollama.ai") || IsUnder(host, "ollama.com") ||
                               IsUnder(host, "r2.cloudflarestorage.com"));
}

}  // namespace

Result<RedirectTo> MayRedirect(const std::vector<std::string>& pull_from, const std::string& place,
                               const std::string& first, const std::string& next) {
  const bool tls = next.starts_with(kTls) && next.ends_with(kTlsPort);
  if (Authority(next) == Authority(first) || (tls && HostOf(next) == HostOf(first)))
    return RedirectTo::kAnyAddress;
  if (std::any_of(pull_from.begin(), pull_from.end(),
                  [&](const std::string& entry) { return Names(entry, next); })) {
    return RedirectTo::kAnyAddress;
  }
  if (tls && IsStorageOf(place, HostOf(next))) return RedirectTo::kPublicAddress;
  return InvalidArgument("which --pull-from of this server does not name");
}

}  // namespace galen::server
