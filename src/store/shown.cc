#include "store/shown.h"

#include "base/json.h"

namespace galen {

std::string Shown(std::string_view text) {
  const std::string quoted =
      Json(std::string(text.substr(0, 300))).dump(-1, ' ', true, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace galen
