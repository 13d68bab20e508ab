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

// A JSON string with its quotes.
inline std::string Quoted(std::string_view text) { return WriteJson(Json(text)); }

}  // namespace galen::server
