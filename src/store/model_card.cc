#include "store/model_card.h"

#include <string>

namespace galen {

License LicenseOfCard(std::string_view text) {
  License license;
  const auto next_line = [&] {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    return line;
  };
  if (next_line() != "---") return license;
  while (!text.empty()) {
    const std::string_view line = next_line();
    if (line == "---") break;
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    std::string_view value = line.substr(colon + 2);
    while (!value.empty() &&
           (value.front() == ' ' || value.front() == '"' || value.front() == '\''))
      value.remove_prefix(1);
    while (!value.empty() && (value.back() == '"' || value.back() == '\'')) value.remove_suffix(1);
    if (key == "license") license.id = value.substr(0, 100);
    if (key == "license_name") license.name = value.substr(0, 100);
    if (key == "license_link") license.link = value.substr(0, 200);
  }
  return license;
}

}  // namespace galen
