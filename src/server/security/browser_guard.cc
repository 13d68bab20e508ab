#include "server/security/browser_guard.h"

namespace galen::server {
namespace {

std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == host.npos ? host : host.substr(1, end - 1);
  }
  const size_t colon = host.rfind(':');
  // More than one colon: an IPv6 address without brackets.
  return colon == host.npos || host.find(':') != colon ? host : host.substr(0, colon);
}

}  // namespace

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // 127.0.0.0/8 in digits; "127.0.0.1.example.org" is a name.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

std::string BrowserFault(const RequestHead& head, bool loopback_only) {
  if (loopback_only && !head.host.empty() && !IsLoopback(WithoutPort(head.host))) {
    return "this server answers to localhost only; the request names another host (a page in a "
           "browser may have been misled)";
  }
  if (head.origin.empty()) return "";
  for (const char* scheme : {"http://", "https://"}) {
    if (!head.host.empty() && head.origin == scheme + head.host) return "";
  }
  return "requests of web pages from elsewhere are not answered";
}

}  // namespace galen::server
