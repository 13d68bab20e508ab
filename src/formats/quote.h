// Names that come from files, made safe to print: a hostile name must not move the terminal's
// cursor or flood a log.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace galen {

// Returns the text in double quotes, control bytes, quotes and backslashes escaped, cut after
// max_bytes.
inline std::string Quoted(std::string_view text, size_t max_bytes = 120) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, max_bytes)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), c == '"' || c == '\\' ? "\\%c" : "\\x%02x", byte);
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  quoted += '"';
  if (text.size() > max_bytes) quoted += "... (" + std::to_string(text.size()) + " bytes)";
  return quoted;
}

// True for well-formed UTF-8 without control characters: what the name of a tensor or a key has to
// be, since names are printed and written into JSON.
inline bool IsPlainName(std::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const uint8_t lead = *p++;
    if (lead < 0x80) {
      if (lead < 0x20 || lead == 0x7f) return false;
      continue;
    }
    const int extra = lead >= 0xf0 && lead <= 0xf4 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - p < extra) return false;
    // The first continuation byte excludes overlong forms, surrogates and what lies above U+10FFFF.
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*p < low || *p > high) return false;
    if (lead == 0xc2 && *p < 0xa0) return false;  // C1 controls
    ++p;
    for (int i = 1; i < extra; ++i, ++p) {
      if ((*p & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

}  // namespace galen
