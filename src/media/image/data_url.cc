// data: URLs (RFC 2397), base64 (RFC 4648) or percent-encoded.
#include <algorithm>
#include <cctype>

#include "media/image/decode.h"

namespace galen {
namespace {

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;  // '-' and '_': the URL-safe alphabet
  if (c == '/' || c == '_') return 63;
  return -1;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// White space between the digits is passed over, padding may be missing.
Result<std::vector<uint8_t>> DecodeBase64(std::string_view text) {
  std::vector<uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int digits = 0;
  bool padded = false;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const int value = Base64Value(c);
    if (value < 0 || padded) return DataLoss("the data URL is not valid base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++digits % 4 == 0) {
      for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<uint8_t>(bits >> shift));
    }
  }
  switch (digits % 4) {
    case 1:
      return DataLoss("the data URL's base64 is truncated");
    case 2:
      bytes.push_back(static_cast<uint8_t>(bits >> 4));
      break;
    case 3:
      bytes.push_back(static_cast<uint8_t>(bits >> 10));
      bytes.push_back(static_cast<uint8_t>(bits >> 2));
      break;
  }
  return bytes;
}

Result<std::string> DecodePercent(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3 || HexValue(text[i + 1]) < 0 || HexValue(text[i + 2]) < 0) {
      return DataLoss("the data URL has a % without two hexadecimal digits");
    }
    bytes.push_back(static_cast<char>(HexValue(text[i + 1]) << 4 | HexValue(text[i + 2])));
    i += 2;
  }
  return bytes;
}

bool EqualIgnoringCase(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {},
                            [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

}  // namespace

Result<std::vector<uint8_t>> DecodeDataUrl(std::string_view url, size_t max_bytes) {
  constexpr std::string_view kScheme = "data:", kBase64 = ";base64";
  const size_t comma = url.find(',');
  if (comma == url.npos || !EqualIgnoringCase(url.substr(0, kScheme.size()), kScheme)) {
    return InvalidArgument("a data URL is written data:<type>;base64,<data>");
  }
  const std::string_view head = url.substr(0, comma);
  const std::string_view body = url.substr(comma + 1);
  const Status too_large = ResourceExhausted("the data URL is above the limit of " +
                                             std::to_string(max_bytes) + " bytes");
  if (body.size() / 4 > max_bytes) return too_large;  // three characters may stand for one byte
  ASSIGN_OR_RETURN(const std::string plain, DecodePercent(body));
  std::vector<uint8_t> bytes;
  if (EqualIgnoringCase(head.substr(head.size() - std::min(head.size(), kBase64.size())),
                        kBase64)) {
    ASSIGN_OR_RETURN(bytes, DecodeBase64(plain));
  } else {
    bytes.assign(plain.begin(), plain.end());
  }
  if (bytes.size() > max_bytes) return too_large;
  return bytes;
}

}  // namespace galen
