#include "extract/configs.h"

namespace galen::extract {

std::string_view BuiltinConfig(std::string_view path) {
  for (const auto& [name, text] : BuiltinConfigs()) {
    if (name == path) return text;
  }
  return {};
}

Json BuiltinJson(std::string_view path) {
  Result<Json> json = ParseJson(BuiltinConfig(path));
  GALEN_CHECK(json.ok());
  return *std::move(json);
}

}  // namespace galen::extract
