#include "dicomnet/peers.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>

#include "dicomnet/socket.h"

namespace galen::dicomnet {
namespace {

constexpr size_t kMaxTitle = 16;
constexpr size_t kMaxUid = 64;

Result<std::vector<std::string>> AddressesOf(const std::string& host) {
  addrinfo hints = {}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; code == 0 && one != nullptr; one = one->ai_next) {
    const std::string address = AddressText(one->ai_addr, one->ai_addrlen);
    if (!address.empty()) addresses.push_back(address);
  }
  if (addresses.empty())
    return InvalidArgument("the host '" + host + "' has no address: " + ::gai_strerror(code));
  return addresses;
}

}  // namespace

bool IsTitle(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTitle && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == ' ' || c == '-' || c == '_' || c == '.';
         });
}

bool IsUid(std::string_view text) {
  if (text.empty() || text.size() > kMaxUid) return false;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.find_first_not_of("0123456789") != part.npos) return false;
    if (dot == text.npos) return true;
    text.remove_prefix(dot + 1);
  }
}

Result<AllowedPeer> ParseAllowedPeer(const std::string& text) {
  const size_t equals = text.find('=');
  AllowedPeer peer;
  peer.title = text.substr(0, equals);
  if (equals == text.npos || !IsTitle(peer.title) || equals + 1 == text.size()) {
    return InvalidArgument("'" + text +
                           "' is not TITLE=HOST: a title has 1 to 16 letters, digits, spaces, - _ "
                           "., a host is an address, a name, or * for any");
  }
  peer.host = text.substr(equals + 1);
  if (peer.host == "*") return peer;
  ASSIGN_OR_RETURN(peer.addresses, AddressesOf(peer.host));
  return peer;
}

bool MayConnect(const std::vector<AllowedPeer>& peers, const std::string& address) {
  return std::any_of(peers.begin(), peers.end(), [&](const AllowedPeer& peer) {
    return peer.addresses.empty() ||
           std::find(peer.addresses.begin(), peer.addresses.end(), address) != peer.addresses.end();
  });
}

const AllowedPeer* FindPeer(const std::vector<AllowedPeer>& peers, const std::string& title,
                            const std::string& address) {
  for (const AllowedPeer& peer : peers) {
    if (peer.title == title && MayConnect({peer}, address)) return &peer;
  }
  return nullptr;
}

Result<Destination> ParseDestination(const std::string& text) {
  const size_t at = text.find('@'), colon = text.rfind(':');
  Destination to;
  const auto wrong = [&] {
    return InvalidArgument("'" + text + "' is not TITLE@HOST:PORT, such as ORTHANC@127.0.0.1:4242");
  };
  if (at == text.npos || colon == text.npos || colon < at) return wrong();
  to.title = text.substr(0, at);
  to.host = text.substr(at + 1, colon - at - 1);
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data() + colon + 1, end, to.port);
  if (!IsTitle(to.title) || to.host.empty() || to.host.find_first_of(":[] ") != to.host.npos ||
      code != std::errc() || stop != end || to.port < 1 || to.port > 65535) {
    return wrong();
  }
  return to;
}

}  // namespace galen::dicomnet
