#include "base/base64.h"

namespace galen {

std::string EncodeBase64(std::span<const uint8_t> bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t b1 = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    const uint32_t b2 = i + 2 < bytes.size() ? bytes[i + 2] : 0;
    const uint32_t group = uint32_t{bytes[i]} << 16 | b1 << 8 | b2;
    out += kLetters[group >> 18];
    out += kLetters[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kLetters[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kLetters[group & 63] : '=';
  }
  return out;
}

}  // namespace galen
