#include "http/accept_encoding.h"

#include <optional>
#include <string>

#include "http/header_value.h"

namespace galen {
namespace {

constexpr int kFullWeight = 1000;  // weights in thousandths

// "0", "0.5", "1.000"; nothing else is a weight.
std::optional<int> WeightOf(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * kFullWeight;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  for (size_t i = 2, unit = kFullWeight / 10; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    weight += (text[i] - '0') * static_cast<int>(unit);
  }
  return weight <= kFullWeight ? std::optional<int>(weight) : std::nullopt;
}

}  // namespace

bool PrefersGzip(std::string_view header) {
  std::optional<int> gzip, identity, any;
  while (!header.empty()) {
    const size_t comma = header.find(',');
    std::string_view item = Trimmed(header.substr(0, comma));
    header.remove_prefix(comma == header.npos ? header.size() : comma + 1);
    const size_t semicolon = item.find(';');
    const std::string coding = Lowered(Trimmed(item.substr(0, semicolon)));
    int weight = kFullWeight;
    if (semicolon != item.npos) {
      const std::string parameter = Lowered(Trimmed(item.substr(semicolon + 1)));
      if (!parameter.starts_with("q=")) continue;
      const std::optional<int> said = WeightOf(Trimmed(std::string_view(parameter).substr(2)));
      if (!said) continue;
      weight = *said;
    }
    if (coding == "gzip" || coding == "x-gzip") gzip = weight;
    if (coding == "identity") identity = weight;
    if (coding == "*") any = weight;
  }
  const int wanted = gzip.value_or(any.value_or(0));
  return wanted > 0 && wanted >= identity.value_or(0);
}

}  // namespace galen
