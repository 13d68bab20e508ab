#include "server/http/wire.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <ctime>

namespace galen::server {
namespace {

namespace http = boost::beast::http;

// The value of a header that may come only once: where two readers would pick different ones,
// neither is right.
Status Single(const http::request_header<>& header, http::field field, std::string* value) {
  const auto [begin, end] = header.equal_range(field);
  if (begin == end) return OkStatus();
  if (std::next(begin) != end) {
    return InvalidArgument("the header " + std::string(http::to_string(field)) +
                           " comes more than once");
  }
  *value = std::string(begin->value());
  return OkStatus();
}

std::string DateNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc;
  ::gmtime_r(&now, &utc);
  char text[64];
  std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return text;
}

}  // namespace

Status ReadHead(const http::request_header<>& header, RequestHead* head) {
  head->method = std::string(header.method_string());
  const std::string target(header.target());
  const size_t query = target.find('?');
  head->path = target.substr(0, query);
  if (query != target.npos) head->query = target.substr(query + 1);
  if (head->path.empty() || head->path[0] != '/')
    return InvalidArgument("the target of the request is no path");
  RETURN_IF_ERROR(Single(header, http::field::host, &head->host));
  constexpr unsigned kHttp11 = 11;
  if (header.version() >= kHttp11 && header.count(http::field::host) == 0)
    return InvalidArgument("the header Host is missing");
  std::string coding;
  RETURN_IF_ERROR(Single(header, http::field::transfer_encoding, &coding));
  if (!coding.empty() &&
      (header.version() < kHttp11 || !boost::beast::iequals(coding, "chunked"))) {
    return InvalidArgument("Transfer-Encoding must be chunked alone, and HTTP/1.1");
  }
  RETURN_IF_ERROR(Single(header, http::field::origin, &head->origin));
  RETURN_IF_ERROR(Single(header, http::field::authorization, &head->authorization));
  RETURN_IF_ERROR(Single(header, http::field::content_type, &head->content_type));
  // Lists, which may come in pieces; the first is enough to tell a browser.
  head->accept = std::string(header[http::field::accept]);
  head->accept_encoding = std::string(header[http::field::accept_encoding]);
  head->if_none_match = std::string(header[http::field::if_none_match]);
  std::string length;
  RETURN_IF_ERROR(Single(header, http::field::content_length, &length));
  std::from_chars(length.data(), length.data() + length.size(), head->content_length);
  return OkStatus();
}

std::string HeadBytes(const HttpResponse& response, const Framing& framing) {
  const auto status = static_cast<http::status>(response.status);
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " +
                    std::string(http::obsolete_reason(status)) +
                    "\r\nServer: galen\r\nDate: " + DateNow() + "\r\n";
  if (!response.content_type.empty()) out += "Content-Type: " + response.content_type + "\r\n";
  out += "Cache-Control: " + response.cache_control +
         "\r\nContent-Security-Policy: " + response.content_policy +
         "\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
         "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n";
  for (const auto& [name, value] : response.headers) out += name + ": " + value + "\r\n";
  // "Not modified" has no body, and the length would be that of the body it stands for.
  if (!framing.streamed && response.status != 304)
    out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  else if (framing.streamed && framing.chunked)
    out += "Transfer-Encoding: chunked\r\n";
  out += framing.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  return out + "\r\n";
}

void AddStreamBytes(std::string_view data, bool last, const Framing& framing, std::string* bytes) {
  if (framing.head_only) return;
  if (!framing.chunked) {
    *bytes += data;
    return;
  }
  if (!data.empty()) {
    char size[20];
    const int n = std::snprintf(size, sizeof(size), "%zx\r\n", data.size());
    bytes->append(size, static_cast<size_t>(n)).append(data).append("\r\n");
  }
  if (last) *bytes += "0\r\n\r\n";
}

std::string HexId(uint64_t high, uint64_t low) {
  char text[40];
  std::snprintf(text, sizeof(text), "%" PRIx64 "-%" PRIx64, high, low);
  return text;
}

}  // namespace galen::server
