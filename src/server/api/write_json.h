// JSON out. Tokens need not be whole characters: what is no UTF-8 is replaced.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace galen::server {

template <typename AnyJson>
std::string WriteJson(const AnyJson& json) {
  return json.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
}

// Appends a JSON string with its quotes. Of what answers are mostly made of, ASCII and line breaks,
// nothing is allocated.
inline void AppendQuoted(std::string_view text, std::string* out) {
  const size_t begin = out->size();
  *out += '"';
  for (const char c : text) {
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (c >= ' ' && c <= '~') {
      *out += c;
    } else {
      out->resize(begin);
      *out += WriteJson(Json(text));
      return;
    }
  }
  *out += '"';
}

inline std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(text, &out);
  return out;
}

}  // namespace galen::server
